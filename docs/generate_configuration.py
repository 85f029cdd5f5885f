"""Make docs/configuration.md from the settings class: `python docs/generate_configuration.py [--check]`.

With `--check` nothing is written; the exit code tells whether the committed page is up to date.
"""

import sys
from pathlib import Path

from taskwire_shared.settings import Settings, allowed, variables

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

INTRODUCTION = """\
# Configuration

Generated from [settings.py](../shared/taskwire_shared/settings.py) by `make docs`; do not edit.

Every setting is an environment variable, the same for every role: gateway, processor, migrate and dev. A variable that
is empty counts as not set. What a role does not need, it ignores, so that one environment serves all.

- **A wrong value stops the start**, with every problem in one message: the variable, the value and what is allowed.
- **So does an unknown variable** that begins with `TASKWIRE_`, with the nearest valid name. Those that Kubernetes adds
  for each service of a namespace (`TASKWIRE_*_SERVICE_*`, `TASKWIRE_*_PORT*`) are ignored.
- **Secrets do not appear** in messages or in the log, which shows the effective settings once at the start.

A gateway or processor whose settings are not valid ends with exit code 2, and so do `taskwire migrate` and
`taskwire verify`; `taskwire dev` and `taskwire demo` end with 1.
"""

RULES = """\
## Together

- A `TASKWIRE_LISTEN` that other machines can reach needs `TASKWIRE_TLS_CERT_FILE` and `TASKWIRE_TLS_KEY_FILE`, or
  `TASKWIRE_ALLOW_INSECURE=true` where the network is trusted.
- `TASKWIRE_TLS_CERT_FILE` and `TASKWIRE_TLS_KEY_FILE` are set together.
- `TASKWIRE_HEARTBEAT_SECONDS` is not longer than `TASKWIRE_WATCH_AGE_SECONDS`.
"""


def render() -> str:
    """Return the page."""
    defaults = Settings().as_environment()
    rows = ["| variable | default | allowed | what it does |", "|---|---|---|---|"]
    for name, variable in variables().items():
        field = Settings.model_fields[name]
        default = f"`{defaults[variable]}`" if defaults[variable] else "(empty)"
        rows.append(f"| `{variable}` | {default} | {allowed(field)} | {_one_line(field.description)} |")
    return "\n".join([INTRODUCTION, "## Settings", "", *rows, "", RULES])


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv[1:]:
        if PAGE.read_text() == render():
            return 0
        print(f"{PAGE} is not what {Path(__file__).name} makes: run `make docs`")
        return 1
    PAGE.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
