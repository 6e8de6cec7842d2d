"""What does the person at the console read once Gantry runs?"""

import json

from core.embedded.options import Options

DEMO_FILE = "demo.json"
WIDTH = 78


def text(options: Options, *, seconds: float) -> str:
    """The address, the demo's logins when there is a demo, and where to look further."""
    rule = "─" * WIDTH
    lines = [
        "",
        rule,
        f"  Gantry is ready: {options.base_url}    ({seconds:.1f} s)",
        *_demo_lines(options),
        "",
        f"  Logs: {options.var / 'log'}    Stop: Ctrl-C",
        rule,
        "",
    ]
    return "\n".join(lines)


def _demo_lines(options: Options) -> list[str]:
    path = options.var / DEMO_FILE
    if not options.demo or not path.exists():
        return []
    lines = []
    for organization in json.loads(path.read_text())["organizations"]:
        page = f"{options.base_url}/o/{organization['slug']}/"
        lines += ["", f"  {organization['name']}   {page}"]
        if organization.get("live_stream"):
            demo = f"{options.base_url}/demo/{organization['slug']}/{organization['live_stream']}/"
            lines.append(f"  what its viewers see: {demo}")
        lines += [
            f"    {person['role']:<10} {person['email']:<40} {person['password']}"
            for person in organization["people"]
        ]
    return lines
