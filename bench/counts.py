# SPDX-License-Identifier: GPL-2.0
"""What a run of bench/run left in build/bench: loads, and the plugin's windows."""
import collections
import statistics

Load = collections.namedtuple(
    "Load", "stack members buffer op bytes count requests commands windows")
Window = collections.namedtuple("Window", "kernel user rep blocks")


def read_windows(path):
    """What plugin.c wrote; blocks are (address, instructions, times)."""
    windows = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            word = line.split()
            if word[0] == "window":
                windows.append(Window(*map(int, word[1:]), []))
            else:
                windows[-1].blocks.append((int(word[1], 16), int(word[2]), int(word[3])))
    return windows


def read_loads(directory, name):
    """What load.c printed, each with its windows."""
    windows = iter(read_windows(f"{directory}/{name}.windows"))
    loads = []
    with open(f"{directory}/{name}.out", encoding="ascii") as lines:
        for line in lines:
            stack, members, buffer, op, *numbers = line.split()
            size, nr, count, requests, commands = map(int, numbers)
            loads.append(Load(stack, int(members), buffer, op, size, count, requests,
                              commands, [next(windows) for _ in range(nr)]))
    if next(windows, None):
        raise SystemExit(f"{name}: more windows than loads")
    return loads


def row(name, load):
    """One entry of bench.json."""
    _, iommu, layout = name.split("-")
    insns = [w.kernel / load.count for w in load.windows]
    median = statistics.median(insns)
    return {
        "stack": load.stack, "members": load.members, "iommu": iommu,
        "buffer": load.buffer, "layout": layout, "op": load.op, "bytes": load.bytes,
        "insns": round(median, 1), "cmds": round(load.commands / load.requests, 3),
        "spread": round((max(insns) - min(insns)) / median, 4),
    }
