"""Prints what PyPI's tensorboard reads in a folder of event files, as JSON."""

import json
import sys

from tensorboard.backend.event_processing import event_accumulator

reader = event_accumulator.EventAccumulator(
    sys.argv[1], size_guidance=event_accumulator.STORE_EVERYTHING_SIZE_GUIDANCE
)
reader.Reload()
tags = reader.Tags()
graph = reader.Graph()
print(
    json.dumps(
        {
            "scalars": {tag: [[event.step, event.value] for event in reader.Scalars(tag)] for tag in tags["scalars"]},
            "images": {tag: [[event.width, event.height] for event in reader.Images(tag)] for tag in tags["images"]},
            "nodes": {node.name: list(node.input) for node in graph.node},
            "shapes": {
                node.name: [dim.size for dim in node.attr["_output_shapes"].list.shape[0].dim] for node in graph.node
            },
        }
    )
)
