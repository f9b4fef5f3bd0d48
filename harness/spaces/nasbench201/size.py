"""How large the benchmark's networks are: parameters and FLOPs of a cell in NAS-Bench-201's skeleton, exactly.

Skeleton (Dong & Yang 2020, section 2.1): a 3x3 stem of 16 channels, three stages of five cells with 16, 32 and 64
channels, a residual block of stride 2 between stages, batch norm, global average pooling, a linear classifier.
Convolutions have no bias, batch norms an affine part. As in the published files, FLOPs are multiply-adds of
convolutions and of the classifier (with its bias); pooling and batch norm count nothing.
"""

from __future__ import annotations

from harness.spaces.nasbench201.cell import CONV1, CONV3, Cell

STEM, CELLS, STAGES = 16, 5, 3
AREA = {CONV1: 1, CONV3: 9}


def count_parameters(cell: Cell, classes: int) -> int:
    """Number of weights of the cell's network, those of batch norms included."""
    edges = [AREA[op] for op in cell if op in AREA]
    total = 3 * STEM * 9 + 2 * STEM
    for stage in range(STAGES):
        width = STEM << stage
        if stage:
            total += _count_reduction(width) + 2 * 2 * width
        total += CELLS * sum(area * width**2 + 2 * width for area in edges)
    return total + 2 * width + width * classes + classes


def count_flops(cell: Cell, classes: int, pixels: int) -> int:
    """Multiply-adds of one image of `pixels` x `pixels` through the cell's network."""
    edges = [AREA[op] for op in cell if op in AREA]
    total = 3 * STEM * 9 * pixels**2
    for stage in range(STAGES):
        width, side = STEM << stage, pixels >> stage
        if stage:
            total += _count_reduction(width) * side**2
        total += CELLS * sum(edges) * width**2 * side**2
    return total + width * classes + classes


def _count_reduction(width: int) -> int:
    """Weights of a residual block's three convolutions, all at its output's size: 3x3, 3x3, and 1x1 on the shortcut."""
    return (width // 2) * width * 9 + width * width * 9 + (width // 2) * width
