#!/usr/bin/env python3
"""Draws the pictures of ../design.md: layout.svg, transaction.svg, same-bits.svg, seam.svg, memory.svg."""
import pathlib

from svg import CLAY, FAINT, INK, LEAF, SKY, TEAL, WOOD, Picture, tint

FOLDER = pathlib.Path(__file__).resolve().parent
WIDTH = 800


def box_with_text(picture, x, y, width, height, colour, lines, mono=False, size=12.5, fill=None):
    """A box with centred lines."""
    step = round(1.4 * size)
    picture.box(x, y, width, height, colour, fill)
    top = y + height / 2 - step * (len(lines) - 1) / 2 + 0.35 * size
    picture.lines(x + width / 2, top, lines, size, anchor="middle", mono=mono, height=step)


def layout():
    """A window of 3x3 pixels in an image of 4x6 pixels and 3 channels, in both memory orders."""
    picture = Picture(WIDTH, 330, "A window of an image in memory, as N,C,H,W and as N,H,W,C")
    colours = (CLAY, LEAF, SKY)
    rows, columns, channels = 4, 6, 3
    window = {(h, w) for h in (1, 2, 3) for w in (2, 3, 4)}
    cell = 34
    for h in range(rows):
        for w in range(columns):
            x, y = 24 + w * cell, 46 + h * cell
            inside = (h, w) in window
            picture.box(x, y, cell - 3, cell - 3, INK if inside else "#c9c3b4", "#ffffff", 3)
            for c, colour in enumerate(colours):
                fill = colour if inside else tint(colour, 0.3)
                picture.add(f'<rect x="{x + 4 + 8 * c}" y="{y + 5}" width="7" height="21" fill="{fill}"/>')
    picture.text(24, 30, "an image of 4 x 6 pixels, 3 channels; a window of 3 x 3", 13, bold=True)
    picture.lines(262, 66, [
        "To compute one output pixel, a convolution reads every",
        "channel of every pixel in its window.",
        "",
        "With N,H,W,C the channels of a pixel are neighbours, and so",
        "are the pixels of a row: the window is 3 runs of 9 numbers.",
        "With N,C,H,W it is 9 runs of 3. Real layers have 64 to 512",
        "channels: their runs are 192 to 1536 numbers long, and a",
        "vector register holds 8 channels of one pixel.",
    ], 12.5)
    width = 10.4

    def strip(y, name, order, runs):
        picture.text(24, y - 8, name, 12.5, bold=True)
        picture.text(WIDTH - 26, y - 8, runs, 12.5, FAINT, "end")
        for i, (h, w, c) in enumerate(order):
            fill = colours[c] if (h, w) in window else tint(colours[c], 0.3)
            picture.add(f'<rect x="{24 + i * width:g}" y="{y}" width="{width - 1.4:g}" height="22" fill="{fill}"/>')

    pixels = [(h, w) for h in range(rows) for w in range(columns)]
    strip(238, "N,C,H,W: one channel after the other", [(h, w, c) for c in range(channels) for h, w in pixels],
          "9 runs of 3 numbers")
    strip(292, "N,H,W,C: one pixel after the other", [(h, w, c) for h, w in pixels for c in range(channels)],
          "3 runs of 9 numbers")
    return picture


def transaction():
    picture = Picture(WIDTH, 292, "A training step as a transaction")
    steps = [("zero_grad", TEAL), ("forward", TEAL), ("loss", TEAL), ("backward", TEAL), ("prepare_step", TEAL),
             ("enqueue_step", CLAY), ("commit", CLAY)]
    x, y, width, height, gap = 24, 60, 92, 40, 18
    picture.text(24, 34, "reads; what it computes is its own and can be thrown away", 12.5, TEAL, bold=True)
    picture.text(WIDTH - 24, 34, "writes what lasts", 12.5, CLAY, "end", bold=True)
    for i, (name, colour) in enumerate(steps):
        left = x + i * (width + gap)
        picture.box(left, y, width, height, colour, tint(colour, 0.18))
        picture.text(left + width / 2, y + 25, name, 12, anchor="middle", mono=True)
        if i + 1 < len(steps):
            picture.arrow([(left + width + 1, y + 20), (left + width + gap - 1, y + 20)])
    border = x + 5 * (width + gap) - gap / 2
    picture.add(f'<path d="M{border},44 V230" stroke="{FAINT}" stroke-dasharray="3 4"/>')

    def centre(i):
        return x + i * (width + gap) + width / 2

    picture.arrow([(centre(1), y + height + 1), (centre(1), 150)], WOOD)
    box_with_text(picture, 94, 152, 200, 58, WOOD, ["running mean, running variance:", "StepTransaction::write",
                                                    "keeps them for later"], size=11.5)
    picture.arrow([(294, 181), (centre(6) + 10, 181), (centre(6) + 10, y + height + 3)], WOOD)
    picture.text(centre(6) + 2, 174, "carried out", 11.5, WOOD, "end")
    picture.lines(centre(4), y + height + 20, ["takes all", "its memory"], 11.5, anchor="middle", height=15)
    picture.lines(centre(5), y + height + 20, ["parameters", "and moments"], 11.5, anchor="middle", height=15)
    picture.arrow([(border - 12, 228), (centre(0), 228), (centre(0), y + height + 3)], SKY)
    picture.lines(centre(0) + 14, 250, [
        "OutOfMemory at any point of the left side: gradients and deferred writes are dropped,",
        "and the same batch is computed again in 2, 4, ... parts."], 12, SKY, height=17)
    return picture


def same_bits():
    picture = Picture(WIDTH, 306, "Sums of blocks, combined in the order of the blocks")
    rows = [("2 threads", (0, 1, 0, 1, 0, 1)), ("3 threads", (0, 1, 2, 2, 0, 1))]
    threads = (CLAY, SKY, LEAF)
    left, width, gap = 130, 94, 12
    picture.text(24, 34, "One sum over a tensor, cut into blocks by its shape", 13, bold=True)
    picture.text(24, 66, "rows", 12.5, FAINT)
    for i in range(6):
        x = left + i * (width + gap)
        size = width if i < 5 else width * 0.55
        picture.box(x, 50, size, 26, WOOD)
        label = f"{i * 256} - {i * 256 + 255}" if i < 5 else "the rest"
        picture.text(x + size / 2, 67, label, 10.5, anchor="middle", mono=True)
    for row, (name, owners) in enumerate(rows):
        y = 96 + 40 * row
        picture.text(24, y + 18, name, 12.5, FAINT)
        for i, owner in enumerate(owners):
            x = left + i * (width + gap)
            size = width if i < 5 else width * 0.55
            picture.box(x, y, size, 26, threads[owner], tint(threads[owner], 0.3))
            picture.text(x + size / 2, y + 17, f"thread {owner}" if i < 5 else f"{owner}", 10.5, anchor="middle",
                         mono=True)
    y = 196
    picture.text(24, y + 17, "partial sums", 12.5, FAINT)
    for i in range(6):
        x = left + i * (width + gap)
        size = width if i < 5 else width * 0.55
        picture.arrow([(x + size / 2, 164), (x + size / 2, y - 3)], FAINT, width=1.2)
        picture.box(x, y, size, 26, INK, "#ffffff")
        picture.text(x + size / 2, y + 17, f"s{i}", 12, anchor="middle", mono=True)
    picture.arrow([(left + 10, 234), (left + 5.4 * (width + gap), 234)], INK, width=1.4)
    picture.text(left + 10, 256, "result = ((((s0 + s1) + s2) + s3) + s4) + s5, added in this order", 12,
                 mono=True)
    picture.text(24, 284, "Which thread computed a block, and when, changes nothing. Cutting by the number of threads "
                 "would.", 12.5)
    return picture


def seam():
    picture = Picture(WIDTH, 350, "From an op to a device")
    box_with_text(picture, 24, 24, 250, 60, CLAY, ["engine/ops: ops::topk(x, k)", "checks shapes, makes outputs,",
                                                   "records a node for the gradient"], size=12)
    picture.arrow([(276, 54), (322, 54)])
    picture.box(324, 24, 214, 96, INK, "#ffffff")
    picture.text(336, 44, "a description", 12, FAINT)
    picture.lines(336, 63, ["TopK{.x = x, .k = 5,", "     .values = v,", "     .indices = i}"], 12, mono=True)
    picture.lines(556, 44, ["a plain struct that says its name,", "which operands it reads and which it",
                            "writes, and how many FLOP it costs;", "its formula stands above it in",
                            "kernels/primitives/"], 12, height=17)
    picture.arrow([(430, 122), (430, 146)])
    box_with_text(picture, 324, 148, 214, 34, WOOD, ["Backend::run(context, op)"], mono=True)
    picture.text(24, 160, "the seam, kernels/backend.h:", 12.5, WOOD, bold=True)
    picture.text(24, 178, "one virtual call an op, none in a loop", 12.5, WOOD)
    columns = [
        (24, SKY, "CpuBackend", ["checks element types, then", "cpu::run cuts the work into",
                                 "blocks for the thread pool;", "inner loops: portable, AVX2"]),
        (284, LEAF, "CudaBackend", ["checks element types, then", "cuda::run launches a kernel,",
                                    "or calls cuBLAS or cuDNN", "on the context's stream"]),
        (544, TEAL, "profiler, tests", ["each written once, as a", "template over all descriptions:",
                                       "note name, bytes and FLOP,", "pass the op on"]),
    ]
    for x, colour, name, lines in columns:
        picture.box(x, 222, 232, 104, colour)
        picture.text(x + 116, 244, name, 13, colour, "middle", mono=name[0] == "C", bold=True)
        picture.lines(x + 116, 264, lines, 12, anchor="middle", height=17)
        picture.arrow([(430, 184), (430, 204), (x + 116, 204), (x + 116, 219)])
    return picture


def memory():
    picture = Picture(WIDTH, 330, "Who owns a tensor's memory")
    y = 44
    for x, name in ((24, "Tensor x"), (152, "frozen w")):
        box_with_text(picture, x, y, 112, 34, CLAY, [name], mono=True)
    box_with_text(picture, 330, y, 150, 34, CLAY, ["Tensor view of x"], mono=True, size=11.5)
    box_with_text(picture, 540, y, 236, 34, CLAY, ["SavedTensor of a node: x, version 3"], size=12)
    picture.text(24, 30, "handles: copied freely", 12, FAINT)
    impl = 118
    for x, width, lines in ((24, 112, ["TensorImpl", "shape, dtype"]), (152, 140, ["TensorImpl", "shape, packs"]),
                            (330, 150, ["TensorImpl", "offset, shape"])):
        box_with_text(picture, x, impl, width, 46, WOOD, lines, size=12)
        picture.arrow([(x + 56, y + 35), (x + 56, impl - 2)])
    store = 202
    box_with_text(picture, 24, store, 112, 46, TEAL, ["Storage", "version 3"], size=12)
    box_with_text(picture, 152, store, 140, 46, TEAL, ["Storage", "version 1"], size=12)
    box_with_text(picture, 330, store, 150, 46, TEAL, ["Storage", "w, packed"], size=12)
    picture.arrow([(80, impl + 47), (80, store - 2)])
    picture.arrow([(208, impl + 47), (208, store - 2)])
    picture.arrow([(260, impl + 47), (260, 184), (400, 184), (400, store - 2)], FAINT, dashed=True)
    picture.arrow([(345, impl + 47), (345, 176), (110, 176), (110, store - 2)])
    picture.arrow([(600, y + 35), (600, 100), (12, 100), (12, 225), (22, 225)], FAINT, dashed=True)
    picture.lines(514, 132, ["Bytes live while a handle, a node or a", "parameter's packs point to them.",
                             "Each write raises the version; a node", "that finds another version than it saved",
                             "throws instead of using wrong numbers."], 12, height=17)
    picture.box(24, 272, 752, 40, INK, "#ffffff")
    x = 28
    for width, colour, label in ((96, TEAL, "x"), (34, FAINT, ""), (140, TEAL, "w"), (130, TEAL, "packs"),
                                 (90, TEAL, "gradients"), (120, FAINT, "free, kept"), (126, TEAL, "activations")):
        picture.box(x, 276, width - 2, 32, colour, tint(colour, 0.25 if colour == TEAL else 0.08), 3)
        picture.text(x + width / 2 - 1, 296, label, 11.5, FAINT if colour == FAINT else INK, "middle")
        x += width
    for start, end in ((80, 80), (222, 222), (400, 370)):
        picture.arrow([(start, store + 47), (start, 262), (end, 262), (end, 274)], TEAL)
    picture.text(776, 264, "segments of the caching allocator, within its budget", 12, FAINT, "end")
    return picture


def main():
    for draw in (layout, transaction, same_bits, seam, memory):
        target = FOLDER / (draw.__name__.replace("_", "-") + ".svg")
        target.write_text(draw().render())
        print(f"wrote {target.name}")


main()
