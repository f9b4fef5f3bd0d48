"""What is read: finished runs, with how they are to be compared and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.core.errors import HarnessError
from harness.core.registry import explain
from harness.core.seeds import parse_seeds
from harness.results.frames import Results
from harness.results.provenance import list_provenance
from harness.runs.appearance import Appearance
from harness.runs.changes import apply_settings
from harness.runs.execute import locate_study_folder, plan, survey
from harness.runs.preregistration import DECLARED, Declared, describe_other_runs, describe_standing
from harness.runs.study import Study


@dataclass(frozen=True)
class Finished:
    """results: of the finished runs. missing: runs that are not. declared: how to compare; standing: whether that was
    declared before the first run. folder: where figures go by default. manifests: one a run (none of imported ones).
    provenance: what the runs were computed with, where that is not the same for all, or of an older record format.
    figures: how they are to look."""

    name: str
    source: Path
    results: Results
    missing: int
    declared: Declared
    standing: str
    folder: Path
    manifests: list[dict[str, Any]]
    figures: Appearance = field(default_factory=Appearance)

    @property
    def is_declared(self) -> bool:
        """Whether all of what is compared was declared before the first run."""
        return self.standing == DECLARED

    @property
    def provenance(self) -> list[str]:
        return list_provenance(self.manifests, self.source)

    def narrowed(self, settings: Sequence[str], seeds: str | None) -> Finished:
        """Of these seeds alone, compared and drawn as the settings say; a comparison that is changed is exploratory."""
        kinds: dict[str, type[BaseModel]] = {"comparison": Declared, "figures": Appearance}
        raw = {"comparison": self.declared.model_dump(mode="json"), "figures": self.figures.model_dump(mode="json")}
        apply_settings(raw, list(settings))
        if unknown := set(raw) - set(kinds):
            raise HarnessError(
                f"of results that are there, only comparison.* and figures.* can be set, not {sorted(unknown)[0]!r}"
            )
        read: dict[str, Any] = {}
        for section, kind in kinds.items():
            try:
                read[section] = kind.model_validate(raw[section])
            except ValidationError as error:
                raise HarnessError(explain(error, section, kind.model_fields)) from None
        results, told = self.results, self.standing
        if seeds is not None:
            try:
                results = results.of_seeds(parse_seeds(seeds))
            except HarnessError:
                raise
            except ValueError as error:
                raise HarnessError(str(error)) from None
            if told_seeds := describe_other_runs(name_runs(self.results), name_runs(results)):
                told = f"exploratory: {told_seeds}"
        if any(not setting.startswith("figures.") for setting in settings):
            told = "exploratory: settings were changed when this was read"
        return replace(self, results=results, declared=read["comparison"], standing=told, figures=read["figures"])


def name_runs(results: Results) -> dict[tuple[str, int], str]:
    """The runs by method and seed, where their ids do not matter."""
    return {(m, int(s)): "" for m, s in results.epochs[["method", "seed"]].drop_duplicates().itertuples(index=False)}


def load_study_runs(study: Study, out: Path) -> Finished:
    """The finished runs of a study under a folder of runs."""
    planned = plan(study, out)
    finished = [p for p, s in zip(planned, survey(planned), strict=True) if s.finished]
    if not finished:
        raise HarnessError(f"no run of {study.name} is finished under {out}: run it first, {study.command('run', out)}")
    declared, folder = study.file.comparison, locate_study_folder(out, study)
    if declared.until_decided:  # the seeds after those that decided are not missing
        last = max(p.run.seed for p in finished)
        planned = [p for p in planned if p.run.seed <= last]
    manifests = [p.folder.manifest() for p in finished]
    return Finished(
        study.name,
        study.source,
        Results.of_runs(finished, study.table, manifests, study.design),
        len(planned) - len(finished),
        declared,
        describe_standing(folder, declared, {(p.run.method_name, p.run.number): p.run.id for p in finished}),
        folder,
        manifests,
        study.file.figures,
    )
