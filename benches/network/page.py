"""What a measurement leaves behind: a page for people, and a table for programs."""

import csv


def save(out, lines, rows):
    """Writes out.md and out.csv."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".md").write_text("\n".join(lines) + "\n")
    with open(out.with_suffix(".csv"), "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
