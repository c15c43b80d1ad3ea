"""The JSON schema of a config file, for editors and for `rem schema`."""

from typing import Any

from rem.settings.config import Config
from rem.settings.run import Run


def config_schema() -> dict[str, Any]:
    """The JSON schema of a config file: an overlay, so no key is required, and the three layers are partial runs."""
    partial_run = Run.model_json_schema()
    sections = partial_run.pop("$defs")
    del partial_run["required"]
    for key in ("dataset", "variant", "seed"):
        del partial_run["properties"][key]
    of_variant = partial_run | {"properties": partial_run["properties"] | {"like": {"type": "string"}}}
    schema = Config.model_json_schema()
    schema["$defs"] |= sections | {"PartialRun": partial_run | {"title": "PartialRun"}}
    properties, reference = schema["properties"], {"$ref": "#/$defs/PartialRun"}
    properties["defaults"] = {"description": properties["defaults"]["description"]} | reference
    by_variant = {"type": "object", "additionalProperties": reference}
    of_dataset = partial_run | {"properties": partial_run["properties"] | {"variants": by_variant}}
    for layer, entry in (("variants", of_variant), ("datasets", of_dataset)):
        (pattern,) = properties[layer]["patternProperties"]
        properties[layer] |= {"patternProperties": {pattern: entry}, "additionalProperties": False}
    for section in (schema, *schema["$defs"].values()):
        section.pop("required", None)
    return schema
