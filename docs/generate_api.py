"""Make docs/api.md from the protos and their comments: `python docs/generate_api.py [--check]`.

With `--check` nothing is written; the exit code tells whether the committed page is up to date.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from google.api import field_behavior_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "api.md"
PACKAGE = ".taskwire.v1."

INTRODUCTION = """\
# The API

Generated from [protos/taskwire/v1](../protos/taskwire/v1) by `make docs`; do not edit.

Package `taskwire.v1`. A running gateway also describes itself: server reflection (`grpc.reflection.v1` and `v1alpha`)
answers `grpcurl -plaintext 127.0.0.1:50051 describe taskwire.v1.TaskService`, and `grpc.health.v1` tells the health of
each service and of `""`, the whole: while Postgres does not answer, only the whole is NOT_SERVING. What each error
means is in [errors.md](errors.md).
"""

# Numbers of fields in descriptor.proto, of which the path of a comment is made.
MESSAGES, ENUMS, SERVICES = 4, 5, 6
# The fields of a message, the values of an enum and the methods of a service all have the number 2.
PARTS = 2
ONEOFS = 8

EFFECTS = {
    MethodOptions.NO_SIDE_EFFECTS: "Changes nothing.",
    MethodOptions.IDEMPOTENT: "Idempotent.",
}


D = TypeVar("D", DescriptorProto, EnumDescriptorProto, ServiceDescriptorProto)


class Element(NamedTuple, Generic[D]):
    """A message, enum or service with what is written about it and its parts."""

    descriptor: D
    comment: str
    parts: list[str]
    """The comments of its fields, values or methods, in their order."""
    oneofs: list[str]

    @property
    def name(self) -> str:
        """Return its name, without the package."""
        return self.descriptor.name


class Api(NamedTuple):
    """All that the protos define."""

    services: list[Element[ServiceDescriptorProto]]
    messages: list[Element[DescriptorProto]]
    enums: list[Element[EnumDescriptorProto]]


def read_protos() -> list[FileDescriptorProto]:
    """Compile the protos of the API and return their descriptors, comments included."""
    protos = REPOSITORY / "protos"
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "api.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}", f"-I{protos / 'third_party'}"]
        command += ["--include_source_info", f"--descriptor_set_out={output}"]
        subprocess.run([*command, *map(str, sorted(protos.glob("taskwire/v1/*.proto"), reverse=True))], check=True)
        return list(FileDescriptorSet.FromString(output.read_bytes()).file)


def describe(files: Sequence[FileDescriptorProto]) -> Api:
    """Put definitions and comments together."""
    api = Api([], [], [])
    for file in files:
        comments = {tuple(at.path): _unwrapped(at.leading_comments) for at in file.source_code_info.location}
        api.services.extend(_element(comments, (SERVICES, i), service) for i, service in enumerate(file.service))
        api.messages.extend(_element(comments, (MESSAGES, i), message) for i, message in enumerate(file.message_type))
        api.enums.extend(_element(comments, (ENUMS, i), enum) for i, enum in enumerate(file.enum_type))
    return api


def _element(comments: Mapping[tuple[int, ...], str], path: tuple[int, int], descriptor: D) -> Element[D]:
    parts = [comments.get((*path, PARTS, i), "") for i in range(_part_count(descriptor))]
    oneofs = [comments.get((*path, ONEOFS, i), "") for i in range(_oneof_count(descriptor))]
    return Element(descriptor, comments.get(path, ""), parts, oneofs)


def _unwrapped(comment: str) -> str:
    """Return the paragraphs of a comment, each on one line, with an empty line between them."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _part_count(descriptor: DescriptorProto | EnumDescriptorProto | ServiceDescriptorProto) -> int:
    if isinstance(descriptor, DescriptorProto):
        return len(descriptor.field)
    return len(descriptor.value) if isinstance(descriptor, EnumDescriptorProto) else len(descriptor.method)


def _oneof_count(descriptor: object) -> int:
    return len(descriptor.oneof_decl) if isinstance(descriptor, DescriptorProto) else 0


class Page:
    """The page in the making: knows every name that can be linked to."""

    def __init__(self, api: Api) -> None:
        """Learn the names."""
        self._services = api.services
        own = {name for service in api.services for name in _own_messages(service.descriptor)}
        self._own_messages = {message.name: message for message in api.messages if message.name in own}
        self._messages = [message for message in api.messages if message.name not in own]
        self._enums = api.enums
        self._types = {message.name for message in api.messages} | {enum.name for enum in api.enums}
        self._targets = self._types | {service.name for service in api.services}
        self._targets |= {f"{s.name}.{method.name}" for s in api.services for method in s.descriptor.method}
        self._targets |= {f"{m.name}.{field.name}" for m in api.messages for field in m.descriptor.field}
        self._targets |= {value.name for enum in api.enums for value in enum.descriptor.value}

    def render(self) -> str:
        """Return the text of the page."""
        blocks = [INTRODUCTION.strip(), self._contents()]
        for service in self._services:
            blocks += self._service(service)
        blocks += ["## Messages"]
        for message in self._messages:
            blocks += [_heading(3, message.name), self._message(message)]
        blocks += ["## Enums"]
        for enum in self._enums:
            blocks += [_heading(3, enum.name), self._enum(enum)]
        return "\n\n".join(blocks) + "\n"

    def _contents(self) -> str:
        rows = ["| | |", "| - | - |"]
        for service in self._services:
            for method, comment in zip(service.descriptor.method, service.parts, strict=True):
                full_name = f"{service.name}.{method.name}"
                rows.append(f"| [{full_name}](#{full_name}) | {self._linked(comment.split(chr(10))[0])} |")
        rows.append(f"| Messages | {', '.join(f'[{m.name}](#{m.name})' for m in self._messages)} |")
        rows.append(f"| Enums | {', '.join(f'[{e.name}](#{e.name})' for e in self._enums)} |")
        return "\n".join(rows)

    def _service(self, service: Element[ServiceDescriptorProto]) -> Iterator[str]:
        yield _heading(2, service.name)
        yield self._linked(service.comment)
        for method, comment in zip(service.descriptor.method, service.parts, strict=True):
            yield _heading(3, f"{service.name}.{method.name}", method.name)
            yield self._signature(service.name, method)
            yield self._linked(comment)
            for type_name in (method.input_type, method.output_type):
                name = _short(type_name)
                yield _heading(4, name)
                yield self._message(self._own_messages[name])

    def _signature(self, service: str, method: MethodDescriptorProto) -> str:
        streamed = "stream " if method.server_streaming else ""
        request, response = _short(method.input_type), _short(method.output_type)
        effect = EFFECTS.get(method.options.idempotency_level, "")
        line = f"`/taskwire.v1.{service}/{method.name}`: [{request}](#{request}) → {streamed}[{response}](#{response})."
        return f"{line} {effect}".strip()

    def _message(self, message: Element[DescriptorProto]) -> str:
        rows = [self._linked(message.comment), ""]
        for oneof, comment in zip(message.descriptor.oneof_decl, message.oneofs, strict=True):
            if comment:
                rows += [f"One of `{oneof.name}`: {self._linked(comment)}", ""]
        if not message.descriptor.field:
            return "\n".join([*rows, "No fields."])
        rows += ["| # | Field | Type | |", "| - | - | - | - |"]
        for field, comment in zip(message.descriptor.field, message.parts, strict=True):
            anchor = f'<a id="{message.name}.{field.name}"></a>'
            words = " ".join(filter(None, [_marks(message.descriptor, field), self._linked(comment)]))
            rows.append(f"| {field.number} | {anchor}`{field.name}` | {self._type(message, field)} | {_cell(words)} |")
        return "\n".join(rows)

    def _type(self, message: Element[DescriptorProto], field: FieldDescriptorProto) -> str:
        for nested in message.descriptor.nested_type:
            if nested.options.map_entry and field.type_name.endswith(f".{message.name}.{nested.name}"):
                return f"map of {' to '.join(self._single_type(entry) for entry in nested.field)}"
        repeated = "list of " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
        return repeated + self._single_type(field)

    def _single_type(self, field: FieldDescriptorProto) -> str:
        if not field.type_name:
            return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        name = _short(field.type_name)
        return f"[{name}](#{name})" if name in self._types else f"`{name.removeprefix('.')}`"

    def _enum(self, enum: Element[EnumDescriptorProto]) -> str:
        rows = [self._linked(enum.comment), "", "| # | Value | |", "| - | - | - |"]
        for value, comment in zip(enum.descriptor.value, enum.parts, strict=True):
            rows.append(
                f'| {value.number} | <a id="{value.name}"></a>`{value.name}` | {_cell(self._linked(comment))} |'
            )
        return "\n".join(rows)

    def _linked(self, text: str) -> str:
        """Turn every name in backquotes that this page explains into a link."""

        def link(match: re.Match[str]) -> str:
            return f"[`{match[1]}`](#{match[1]})" if match[1] in self._targets else match[0]

        return re.sub(r"`([A-Za-z_.]+)`", link, text)


def _own_messages(service: ServiceDescriptorProto) -> set[str]:
    return {_short(name) for method in service.method for name in (method.input_type, method.output_type)}


def _short(type_name: str) -> str:
    return type_name.removeprefix(PACKAGE)


def _heading(level: int, anchor: str, title: str | None = None) -> str:
    return f'{"#" * level} <a id="{anchor}"></a>{title or anchor}'


def _marks(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    behaviours = field.options.Extensions[field_behavior_pb2.field_behavior]
    words = [field_behavior_pb2.FieldBehavior.Name(b).lower().replace("_", " ") for b in behaviours]
    if field.HasField("oneof_index") and not field.proto3_optional:
        words.append(f"one of `{message.oneof_decl[field.oneof_index].name}`")
    if field.proto3_optional:
        words.append("presence is kept")
    return f"*{', '.join(words)}.*" if words else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n\n", "<br>")


def main() -> int:
    """Write the page, or compare it."""
    page = Page(describe(read_protos())).render()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page)
        return 0
    if PAGE.read_text() == page:
        return 0
    print("docs/api.md is not what the protos say: run `make docs`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
