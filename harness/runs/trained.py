"""How each method of a study trains its network: by the study's settings, its paper's recipe, and its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from harness.core.errors import HarnessError
from harness.core.registry import explain
from harness.core.settings import Settings
from harness.core.streams import Streams
from harness.search.methods import Method, build_method, refuse_senseless, refuse_unfit
from harness.search.naming import SearchRecipe
from harness.search.recipes import find_published_recipe
from harness.search.searchers.base import SupernetSearcher
from harness.search.steps import Moment
from harness.search.training import Training
from harness.spaces.base import Implementation, PresetName, Space

RecipeName = Literal["shared", "published"]
OWN = ("training", "supernet")
"""A method's sections that are no parts of it."""
Model = TypeVar("Model", bound=BaseModel)


class SupernetSize(Settings):
    """Width and depth of the one-shot network; without `cells`, as deep as the space's paper has it."""

    channels: int = Field(16, ge=1, le=4096)
    """Channels of the first cell."""
    cells: int | None = Field(None, ge=1, le=200)
    """Depth, in the space's own count; as in its paper, if not said."""
    implementation: Implementation = "fast"
    """`readable` computes one module an operation, the same function in another order of sums."""


@dataclass(frozen=True)
class Trained:
    """A method and how its network is trained. recipe: where its published settings are from; empty where it has the
    study's."""

    method: Method
    epochs: int
    supernet: SupernetSize
    training: Training
    recipe: str


def apply_recipe_to_parts(recipe: SearchRecipe, chosen: Method) -> dict[str, Any]:
    """What a recipe decides of a method's parts, as the method has it in the end."""
    fields = {part.name: part.model_dump() for part in recipe.beside} | dict(recipe.fields)
    parts = chosen.parts()
    return {name: {key: getattr(parts[name], key) for key in own} for name, own in fields.items()}


@dataclass(frozen=True)
class Common:
    """What all methods of a study have in common. epochs: None, where each recipe says its own. where: for errors."""

    space: Space
    recipe: RecipeName
    preset: PresetName
    epochs: int | None
    supernet: SupernetSize
    training: Training
    where: str

    def of(self, label: str, changes: Mapping[str, Any]) -> Trained:
        """The method of a label, with its own changes: what it says itself wins, then its recipe, then the study."""
        expression = str(changes.get("method", label))
        chosen = build_method(expression, self.preset)
        own = {section: self._section(label, section, changes.get(section, {}), chosen) for section in OWN}
        recipe = SearchRecipe("")
        if self.recipe == "published" and isinstance(chosen.searcher, SupernetSearcher):
            decided = {f"{section}.{key}" for section in OWN for key in own[section]}
            recipe = find_published_recipe(expression, self.space, decided | ({"epochs"} if self.epochs else set()))
            added: tuple[Any, ...] = tuple(part for part in recipe.beside if part.name not in chosen.parts())
            chosen = replace(chosen, regularizers=(*chosen.regularizers, *added))
        epochs = self.epochs or recipe.epochs
        if epochs is None:
            told = "" if self.recipe == "shared" else f" (method {label!r} has no published number of epochs here)"
            raise HarnessError(f"{self.where} needs the key 'epochs': add it{told}")
        parts = {name: fields for name, fields in changes.items() if name not in ("method", *OWN)}
        chosen = chosen.override({part: dict(fields) for part, fields in recipe.fields.items()}).override(parts)
        if isinstance(chosen.searcher, SupernetSearcher):
            refuse_senseless(expression, chosen.searcher, chosen.regularizers)
            refuse_unfit(expression, chosen, self.space)
        if recipe.beside:
            self._check_moves(label, chosen, epochs)
        of_recipe = {} if recipe.channels is None else {"channels": recipe.channels}
        depth = {} if self.supernet.cells else {"cells": self.space.default_cells}
        return Trained(
            chosen,
            epochs,
            self._changed(self.supernet, depth | of_recipe | own["supernet"], f"methods.{label}.supernet"),
            self._changed(self.training, {**recipe.training, **own["training"]}, f"methods.{label}.training"),
            recipe.source
            + "".join(f", with {name} {fields}" for name, fields in apply_recipe_to_parts(recipe, chosen).items()),
        )

    def _check_moves(self, label: str, chosen: Method, epochs: int) -> None:
        """An error where the search would end before its warm-up does."""
        moments = (Moment(Streams(0), self.space, epoch, epochs) for epoch in range(epochs))
        if not any(all(r.alpha_moves(moment) for r in chosen.regularizers) for moment in moments):
            raise HarnessError(
                f"{self.where}: in its {epochs} epochs {label!r} would take no architecture step, as its published "
                "recipe begins without them: give it more epochs, or set that part of it"
            )

    def _section(self, label: str, section: str, fields: Any, chosen: Method) -> dict[str, Any]:
        where = f"{self.where}: methods.{label}.{section}"
        if not isinstance(fields, dict):
            raise HarnessError(f"{where} = {fields!r} is not usable: write a section with keys of [{section}]")
        if fields and not isinstance(chosen.searcher, SupernetSearcher):
            raise HarnessError(f"{where} says how a network is trained, and {label!r} trains none: leave it out")
        return fields

    def _changed(self, model: Model, fields: Mapping[str, Any], section: str) -> Model:
        """A model with other values, validated."""
        try:
            return type(model).model_validate(model.model_dump() | dict(fields))
        except ValidationError as error:
            raise HarnessError(explain(error, f"{self.where}: {section}", type(model).model_fields)) from None
