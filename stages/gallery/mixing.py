"""Changes a conditional generator in ONNX to take a weight for each class in place of a label, to mix classes.

Its input `labels` becomes `[N,K]` (float32): a 1 and zeros are that class, to the bit. What each class adds to the
inputs of the network is summed by these weights, as in `mintage.latent_space.Blend`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

LABELS = "labels"
_ONE_HOT = (["Unsqueeze", "Equal", "Cast"], ["Unsqueeze", "Equal", "Cast", "Cast"])


def with_weights(content: bytes, classes: int) -> bytes | None:
    """The generator with weights of so many classes; None if it reads its labels in an unknown way."""
    model = onnx.load_from_string(content)
    graph = model.graph
    labels = next((given for given in graph.input if given.name == LABELS), None)
    if labels is None:
        return None
    others: dict[str, NodeProto] = {}
    for node in _readers(graph, LABELS):
        found = _of_embedding(graph, node, classes) or _of_one_hot(graph, node, classes)
        if found is None:
            return None
        others[found.output[0]] = found
    _replace(graph, others)
    count = labels.type.tensor_type.shape.dim[0].dim_param or "N"
    labels.CopyFrom(helper.make_tensor_value_info(LABELS, TensorProto.FLOAT, [count, classes]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _of_embedding(graph: GraphProto, node: NodeProto, classes: int) -> NodeProto | None:
    """A matrix product with the embedding, if the node looks up its rows; else None."""
    table = _constant(graph, node.input[0])
    if node.op_type != "Gather" or node.input[1] != LABELS or table is None or _attribute(node, "axis"):
        return None
    if table.ndim != 2 or len(table) != classes:
        return None
    return helper.make_node("MatMul", [LABELS, node.input[0]], node.output)


def _of_one_hot(graph: GraphProto, node: NodeProto, classes: int) -> NodeProto | None:
    """The weights themselves, if the node begins a one-hot encoding: labels compared with 0, 1, 2, ...; else None."""
    chain = [node]
    while chain[-1].op_type != "Cast" or _attribute(chain[-1], "to") != TensorProto.FLOAT:
        readers = _readers(graph, chain[-1].output[0])
        if len(readers) != 1:
            return None
        chain += readers
    if [one.op_type for one in chain] not in _ONE_HOT:
        return None
    numbers = _constant(graph, chain[1].input[1])
    if numbers is None or not np.array_equal(numbers.flatten(), np.arange(classes)):
        return None
    return helper.make_node("Identity", [LABELS], chain[-1].output)


def _replace(graph: GraphProto, others: dict[str, NodeProto]) -> None:
    """Put the other nodes in the places of those with their outputs, and drop what nothing reads any more."""
    nodes = [others.get(node.output[0], node) for node in graph.node]
    wanted, kept = {made.name for made in graph.output}, list[NodeProto]()
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.insert(0, node)
    tables = [value for value in graph.initializer if value.name in wanted]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(tables)


def _readers(graph: GraphProto, name: str) -> list[NodeProto]:
    return [node for node in graph.node if name in node.input]


def _attribute(node: NodeProto, name: str) -> int | None:
    return next((given.i for given in node.attribute if given.name == name), None)


def _constant(graph: GraphProto, name: str) -> npt.NDArray[Any] | None:
    found = next((value for value in graph.initializer if value.name == name), None)
    return None if found is None else numpy_helper.to_array(found)
