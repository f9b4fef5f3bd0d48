"""The validation loss around the last architecture weights, as a surface."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.plots.content import Content
from harness.plots.landscape import COLOURS, LandscapeFigure, read_grid, scale


class Surface(LandscapeFigure):
    """How the validation loss changes around the last alpha, as a surface."""

    name = "surface"
    see: ClassVar[str] = (
        "The same numbers as the contours. All panels have one scale: a flat sheet is a loss that does not care "
        "how alpha moves."
    )
    row_height: ClassVar[float] = 1.9
    share_y: ClassVar[bool] = False
    projection: ClassVar[str | None] = "3d"

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        x, y, change = read_grid(content, panel)
        levels = scale(content)
        ax.plot_surface(
            x, y, change, cmap=COLOURS, vmin=levels[0], vmax=levels[-1], linewidth=0.2, edgecolor="0.4", rstride=1,
            cstride=1,
        )  # fmt: skip
        ax.set_zlim(content.rows["change"].min(), content.rows["change"].max())
        ax.set(xticks=[x.min(), 0, x.max()], yticks=[y.min(), 0, y.max()])
        ax.locator_params(axis="z", nbins=4)
        ax.tick_params(labelsize="xx-small", pad=-4)
        ax.set_xlabel("gradient", fontsize="x-small", labelpad=-11)
        ax.set_ylabel("random", fontsize="x-small", labelpad=-11)
        ax.set_zlabel("change of loss", fontsize="x-small", labelpad=-9)
        ax.set_box_aspect((1, 1, 0.8), zoom=0.85)
