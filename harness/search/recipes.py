"""How the papers of a method train: the recipe that its names declare, for the space that is searched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from harness.core.errors import HarnessError
from harness.search.methods import PLAIN, list_methods
from harness.search.naming import Recipes, SearchRecipe
from harness.spaces.base import IMAGES, Space, search_space


def find_published_recipe(expression: str, space: Space | str, decided: Collection[str] = ()) -> SearchRecipe:
    """The published recipe of a method on a space; DARTS' own where none of its names declares one.

    Args:
        expression: names joined by ' + '.
        space: what is searched, or its name.
        decided: keys (`training.batch_size`) that the study decides itself, on which recipes need not agree.

    Raises:
        HarnessError: a combination whose papers train otherwise: nobody has published how that is trained.
    """
    space = search_space(space) if isinstance(space, str) else space
    known, names = list_methods(), [part.strip() for part in expression.split("+")]
    found = {name: find_fitting_recipe(known[name].recipes, space) for name in names}
    plain = find_fitting_recipe(type(PLAIN).recipes, space)
    if plain is None:
        raise HarnessError(f'there is no published recipe for {space.name}: set training, and recipe = "shared"')
    own = {name: recipe for name, recipe in found.items() if recipe not in (None, plain)}
    if not own:
        plain_too = any(found.values())
        return plain if plain_too else replace(plain, source=f"none is declared; as DARTS: {plain.source}")
    (first, recipe), *others = own.items()
    for other, second in others:
        recipe = merge_recipes(expression, (first, recipe), (other, second), decided)
    return recipe


def find_fitting_recipe(recipes: Recipes, space: Space) -> SearchRecipe | None:
    """The recipe of the longest beginning of the space's name; what is for every space is for those of images."""
    keys = [key for key in recipes if space.name.startswith(key) and (key or IMAGES in space.has)]
    return recipes[max(keys, key=len)] if keys else None


def describe_recipe(recipe: SearchRecipe) -> dict[str, Any]:
    """What a recipe says of training, network, epochs and the method's parts, by the study's keys."""
    found: dict[str, Any] = {f"training.{key}": value for key, value in recipe.training.items()}
    rest = {"supernet.channels": recipe.channels, "epochs": recipe.epochs}
    found |= {key: value for key, value in rest.items() if value is not None}
    return found | {f"{part}.{key}": value for part, own in recipe.fields.items() for key, value in own.items()}


def merge_recipes(
    expression: str, one: tuple[str, SearchRecipe], other: tuple[str, SearchRecipe], decided: Collection[str]
) -> SearchRecipe:
    """One recipe of two that agree, with the parts of both."""
    (a, first), (b, second) = one, other
    x, y = describe_recipe(first), describe_recipe(second)
    apart = [key for key in {**x, **y} if x.get(key) != y.get(key) and key not in decided]
    if apart:
        differ = ", ".join(f"{k}: {x.get(k, 'not said')} and {y.get(k, 'not said')}" for k in apart)
        raise HarnessError(
            f"there is no published recipe of {expression!r}, as those of {a!r} and {b!r} differ ({differ}): decide "
            'these keys in the method\'s own sections training and supernet, or train all methods by recipe = "shared"'
        )
    beside = {part.name: part for part in (*first.beside, *second.beside)}
    return SearchRecipe(
        f"{first.source}; {second.source}",
        {**first.training, **second.training},
        first.channels or second.channels,
        first.epochs or second.epochs,
        tuple(beside.values()),
        {p: {**first.fields.get(p, {}), **second.fields.get(p, {})} for p in {**first.fields, **second.fields}},
    )
