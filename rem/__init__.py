"""REM: routing entropy minimization for Capsule Networks."""

__version__ = "0.1.0"
