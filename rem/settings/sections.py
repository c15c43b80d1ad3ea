"""Typed sections of settings: checked when they are read, with one sentence where they are wrong."""

import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from rem.errors import RemError
from rem.files.notes import note_read

RENAMED = {  # keys of configs as they were once called -> as they are called now
    "levels": "quantizer",
    "stacked": "stacked_decoder",
    "quantizer.published": "quantizer.authors",
    "quantizer.published_of": "quantizer.authors_of",
    "pruning.threshold": "pruning.extent",
    "training.keep_every": "figures.every",
}


class Section(BaseModel):
    """A part of the settings; a key it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_not_1(cls, value: Any, field: ValidationInfo) -> Any:
        values = value if isinstance(value, list) else [value]
        if cls.model_fields[field.field_name].annotation is not bool and any(isinstance(one, bool) for one in values):
            raise PydanticCustomError("truth", "input should not be true or false")
        return value


BLANKS = {"NA", "NULL", "NaN", "None", "nan", "null"}  # what a table reads as no name at all


def _no_blank(name: str) -> str:
    if name in BLANKS:
        raise ValueError(f"the name {name} would be read as a blank in tables; choose another")
    return name


# Names become folders and parts of commands.
LONGEST = 60  # letters of one
Name = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=LONGEST), AfterValidator(_no_blank)
]
Seed = Annotated[int, Field(ge=0, lt=2**53)]  # what every generator takes, and tables keep to the last digit
AnySection = TypeVar("AnySection", bound=Section)


def parse(kind: type[AnySection], values: Any, where: str) -> AnySection:
    """`values` as a typed section.

    Raises:
        RemError: names the first offending key and, if it is unknown, the keys that are valid there.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise RemError(f"{where}: {told(kind, error)}") from error


def told(kind: type[Section], error: ValidationError) -> str:
    """The first thing that is wrong with the values of a section, as a sentence.

    An unknown key comes before all else: misspelt, it is a missing one as well.
    """
    errors = error.errors()
    return _sentence(kind, next((one for one in errors if one["type"] == "extra_forbidden"), errors[0]))


def _sentence(kind: type[Section], error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    key = ".".join(path) or "(the whole file)"
    if error["type"] == "extra_forbidden" and key in RENAMED:
        return f"key {key} is called {RENAMED[key]} now."
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}; the keys valid there are {', '.join(_keys(kind, path[:-1]))}."
    if error["type"] == "missing":
        return f"key {key} is missing."
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    if path[-1:] == ["[key]"] or error["type"] in ("string_pattern_mismatch", "string_too_long"):
        where = "" if path[-1:] == ["[key]"] else f"key {key}: "
        most = f"have at most {LONGEST} of these and of -"
        return f"{where}the name {error['input']!r} must begin with a letter, a digit or _ and {most}."
    return f"key {key} has the value {error['input']!r}: {error['msg'][:1].lower()}{error['msg'][1:]}."


def _keys(kind: type[Section], path: list[str]) -> list[str]:
    for part in path:
        if part in kind.model_fields:  # else it is the name of an entry
            annotation = kind.model_fields[part].annotation
            options = getattr(annotation, "__args__", (annotation,))
            sections = (option for option in options if isinstance(option, type) and issubclass(option, Section))
            kind = next(sections, kind)
    return list(kind.model_fields)


class _Loader(yaml.SafeLoader):
    """YAML as it is read by eye: what would be dropped or turned into another value is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for place, key in enumerate(keys):
            if key.value in (earlier.value for earlier in keys[:place]):
                raise yaml.MarkedYAMLError(problem=f"key {key.value} stands there twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        return _as_written(node, super().construct_yaml_int(node), r"[-+]?(0|[1-9][0-9_]*)")

    def construct_yaml_bool(self, node: yaml.ScalarNode) -> bool:
        return _as_written(node, super().construct_yaml_bool(node), r"(?i:true|false)")


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:bool", _Loader.construct_yaml_bool)


def _as_written(node: yaml.ScalarNode, value: Any, form: str) -> Any:
    """The value, if everybody reads it so: not 042, which is 34, nor 1:30, which is 90, nor yes, which is 1."""
    if re.fullmatch(form, node.value):
        return value
    said = f"{node.value} would be read as {value}; write {str(value).lower()}, or '{node.value}' in quotes for a text"
    raise yaml.MarkedYAMLError(problem=said, problem_mark=node.start_mark)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        RemError: the file is missing or not YAML, has a key twice, or a value that YAML takes for another.
    """
    try:
        note_read(path)
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RemError(f"{path} cannot be read as YAML: in line {mark.line + 1}, {error.problem}.") from error
    except FileNotFoundError as error:
        raise RemError(f"{path} is not there; name a file that is, by its path from {Path.cwd()}.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).replace("\n", " ")
        raise RemError(f"{path} cannot be read as YAML: {reason}.") from error


def to_yaml(section: Section) -> str:
    """A section as YAML text, in the order of its definition."""
    return yaml.safe_dump(section.model_dump(mode="json"), sort_keys=False)
