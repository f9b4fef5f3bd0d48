"""Make the pages, figures and descriptions of what is published again, from the rows that are there.

python tools/republish.py [FOLDER ...]

Nothing is computed; what somebody wrote below a page's mark is kept.
"""

import sys
from pathlib import Path

from harness.report import croissant
from harness.report.publish import describe_folder
from harness.results.load import read_published
from harness.tables.catalog import open_table

ROOT = Path(__file__).parents[1]


def main(folders: list[Path]) -> None:
    for folder in folders:
        found = read_published(folder)
        (study,) = (ROOT / "benchmarks").rglob(f"{folder.name}.toml")
        describe_folder(found, folder, study.relative_to(ROOT))
        print(folder)
    for path in sorted((ROOT / "harness" / "tables" / "embedded").iterdir()):
        if path.is_dir():
            print(croissant.write(croissant.describe_table(open_table(path.name), path), path))


if __name__ == "__main__":
    main(
        [Path(a) for a in sys.argv[1:]]
        or sorted(p.parent for p in (ROOT / "results" / "published").glob("*/manifest.json"))
    )
