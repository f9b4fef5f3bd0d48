"""Placing what runs at a time on the devices of a machine."""

from __future__ import annotations

import re

from harness.core.arguments import spell_argument
from harness.core.arithmetic import count_default_jobs, resolve_device
from harness.core.errors import HarnessError
from harness.core.seeds import parse_seeds
from harness.core.text import brief


def assign_devices(device: str, jobs: int | None, jobs_per_device: int | None) -> list[str]:
    """The device of each run that is computed at a time, taking the devices in turn.

    Args:
        device: auto, cpu, cuda:N, cuda:0..3, cuda:0,2 or cuda:all.
        jobs: how many at a time in all (default: jobs_per_device on each; on the CPU one a core).
        jobs_per_device: how many at a time on each device (default 1).

    Raises:
        HarnessError: a device is not there, or both numbers are given and disagree.
    """
    devices = resolve_devices(device)
    if jobs is None:
        jobs = len(devices) * (jobs_per_device or count_default_jobs(devices[0]))
    elif jobs_per_device is not None and jobs > len(devices) * jobs_per_device:
        raise HarnessError(
            f"{spell_argument('jobs', jobs)} is more than {spell_argument('jobs_per_device', jobs_per_device)} on "
            f"{len(devices)} devices: leave one out"
        )
    return [devices[i % len(devices)] for i in range(jobs)]


def check_device(device: str) -> str:
    """A text that may name devices; whether they are there is found out where they are used."""
    if not re.fullmatch(r"[a-z]+(:(all|[0-9.,]{1,200}))?", device):
        raise HarnessError(f"unknown device {brief(device)}: choose auto, cpu, cuda:N, cuda:0..3 or cuda:all")
    return device


def resolve_devices(device: str) -> list[str]:
    """The devices of this name; an error where one is not there."""
    match = re.fullmatch(r"cuda:(all|[0-9]+(?:\.\.[0-9]+)?(?:,[0-9]+(?:\.\.[0-9]+)?)*)", check_device(device))
    if match is None or match[1].isdigit():
        return [resolve_device(device)]
    if match[1] == "all":
        available = count_cuda_devices()
        if not available:
            raise HarnessError("device 'cuda:all' is not there: this machine has 0 CUDA devices")
        return [f"cuda:{n}" for n in range(available)]
    try:
        numbers = parse_seeds(match[1])
    except ValueError:
        raise HarnessError(f"device {device!r} names no devices, or one twice: write cuda:0..3 or cuda:0,2") from None
    return [resolve_device(f"cuda:{n}") for n in numbers]


def count_cuda_devices() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
