"""What can be known of a model without running it. Nothing is worked out before it is asked for.

====================================  ========================================================================
``Facts(graph, size_bytes=None, weights=None)``
====================================  ========================================================================
``graph`` ``size_bytes``              as given (bytes of the file)
``weights``                           ``WeightFacts`` of the stored tensors; None when they are not to be read
``tensors``                           value → ``Tensor`` (dtype, shape, value), bodies included
``tensor(value)`` ``shape(value)``    what is known of one value; unknown / None when there is none
``ins(node)`` ``outs(node)``          tensors of a node of the graph, "" inputs unknown
``in_shape(node)`` ``out_shape``      shape of its first input / output, None when unknown
``conflicts``                         (value, inferred shape, declared shape) where the two contradict
``params_of`` ``trainable_of(node)``  elements of its weights (shared ones too), all or the trainable ones
``params`` ``trainable_params``       totals, shared counted once, bodies included, frozen in ``params`` only
``params_exact``                      False when an unknown node or an unknown shape leaves the totals too low
``macs_of(node)``                     multiply-accumulates, batch of one; None when not known
``macs`` ``macs_known``               total, None when one is not known / the sum of what is known
``activation_bytes_of(value)``        bytes of a value for a batch of one; None when not known
``activation_peak``                   most bytes of activations alive at once; None when not known
``activation_peak_at``                the node that runs then
``source(value)``                     the value behind Identity, channel Transposes and float Casts
``users(value)``                      nodes that read a value, looked through the same
``single_user(value)``                the only one, and None when the value is also a graph output
``maker(value)``                      the node that makes ``source(value)``; None for graph inputs
``reaches_output(value)``             whether the value, or a copy of it, is a graph output
``reachable`` ``is_dead(node)``       names of nodes that an output needs / whether a node is none of them
``reads_input(node)``                 whether what a node makes depends on the values of an input
``holds_whole_numbers(value)``        whether a value is known to hold integers or truth values
``dead_nodes`` ``unused_inputs``      nodes that reach no output (constants left out) / names of such inputs
``endings``                           an ``Ending`` per output: its layer, activation, loss and metrics
``head(node or value)``               ``Head(kind, width, task, output)`` at the end of the chain of readers
``receptive_fields(value)``           a ``ReceptiveField`` per map-like model input that reaches the value
``receptive_field(value)``            the only one; None when there is none, several, or it is not known
``axes(value)``                       per axis, the model-input axes (name, axis) that its length depends on
``spatial_inputs``                    (name, spatial axes of fixed length) of the map-like model inputs
``spatial_blockers``                  ``Blocker`` per node that fails at another input size, in order
``linear_regions``                    tuples of nodes: learned linear maps with nothing nonlinear between them
``conv_upstream(node)``               whether a convolution lies on some way from an input to the node
``learners_after(value)``             the first nodes with weights that a value reaches, in order
``lost_masks``                        ``LostMask`` per Keras mask that is dropped before a node that needs it
``blind_attentions``                  attention nodes over words, in a model that never learns their order
``last_step_picks(node)``             nodes that pick the last step of a recurrent node, if none reads more
====================================  ========================================================================

"Unknown" is None (or an unknown dim) everywhere, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from archlint.facts.axes import Axes, Origin, Trace, spatial_inputs, trace
from archlint.facts.basis import Basis
from archlint.facts.blockers import Blocker, spatial_blockers
from archlint.facts.cost import batch_of_one, node_macs, total_macs
from archlint.facts.ending import Ending, endings
from archlint.facts.head import Head, head_of
from archlint.facts.last_step import last_step_picks
from archlint.facts.linear import linear_regions
from archlint.facts.masks import LostMask, lost_masks
from archlint.facts.memory import Peak, activation_peak, tensor_bytes
from archlint.facts.order import blind_attentions
from archlint.facts.params import Totals, params_of, totals
from archlint.facts.paths import Paths
from archlint.facts.reach import dead_nodes, fed_nodes, reachable, unused_inputs
from archlint.facts.receptive_field import Fields, ReceptiveField, receptive_fields, spread_fields
from archlint.facts.upstream import learners_after, nodes_after_conv
from archlint.facts.weights import WeightFacts
from archlint.graph import Graph, Node, Shape, Weights
from archlint.ops import Inference, Tensor, infer, inference

__all__ = ["Blocker", "Ending", "Facts", "Head", "Origin", "ReceptiveField", "WeightFacts"]


class Facts:
    """Facts about one graph, worked out once, when first asked for. See the table in ``archlint.facts``."""

    def __init__(self, graph: Graph, size_bytes: int | None = None, weights: Weights | None = None) -> None:
        self.graph = graph
        self.size_bytes = size_bytes
        self.weights = None if weights is None else WeightFacts(graph, weights)

    @cached_property
    def _inference(self) -> Inference:
        return inference(self.graph)

    @cached_property
    def _basis(self) -> Basis:
        return Basis(self.graph, self._inference)

    @cached_property
    def tensors(self) -> Mapping[str, Tensor]:
        """Every value, bodies included; where a name stands twice, the outer value."""
        if not self._inference.bodies:
            return self._inference.tensors
        return infer(self.graph)

    def tensor(self, value: str) -> Tensor:
        """What is known of a value."""
        return self._basis.tensor(value)

    def shape(self, value: str) -> Shape:
        """The shape of a value; None when not even its rank is known."""
        return self._basis.tensor(value).shape

    def ins(self, node: Node) -> tuple[Tensor, ...]:
        """The node's inputs."""
        return self._basis.ins(node)

    def outs(self, node: Node) -> tuple[Tensor, ...]:
        """The node's outputs."""
        return self._basis.outs(node)

    def in_shape(self, node: Node) -> Shape:
        """Shape of the first input; None when unknown or when there is none."""
        return self.shape(node.inputs[0]) if node.inputs else None

    def out_shape(self, node: Node) -> Shape:
        """Shape of the first output; None when unknown or when there is none."""
        return self.shape(node.outputs[0]) if node.outputs else None

    @property
    def conflicts(self) -> tuple[tuple[str, Shape, Shape], ...]:
        """(value, inferred, declared) where the file's own shape contradicts the inferred one."""
        return tuple(self._inference.conflicts)

    def params_of(self, node: Node) -> int | None:
        """Elements of the node's weights; None when not known."""
        return params_of(node)

    def trainable_of(self, node: Node) -> int | None:
        """Elements of those weights that training changes; None when not known."""
        return params_of(node, trainable=True)

    @cached_property
    def _totals(self) -> Totals:
        return totals(self._basis)

    @property
    def params(self) -> int:
        """Parameters of the model, shared ones once."""
        return self._totals.params

    @property
    def trainable_params(self) -> int:
        """Parameters that training changes."""
        return self._totals.trainable

    @property
    def params_exact(self) -> bool:
        """Whether every node's parameters are known."""
        return self._totals.exact

    def macs_of(self, node: Node) -> int | None:
        """Multiply-accumulates for a batch of one, bodies included."""
        return node_macs(self._single, node)

    @cached_property
    def _single(self) -> Basis:
        return batch_of_one(self._basis)

    @cached_property
    def _macs(self) -> tuple[int, int | None]:
        return total_macs(self._single)

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of the model; None when some node's are not known."""
        return self._macs[1]

    @property
    def macs_known(self) -> int:
        """The sum of the multiply-accumulates that are known."""
        return self._macs[0]

    def activation_bytes_of(self, value: str) -> int | None:
        """Bytes of a value for a batch of one."""
        return tensor_bytes(self.tensor(value))

    @cached_property
    def _peak(self) -> Peak | None:
        return activation_peak(self._basis)

    @property
    def activation_peak(self) -> int | None:
        """Most bytes of activations alive at once."""
        return None if self._peak is None else self._peak.size_bytes

    @property
    def activation_peak_at(self) -> Node | None:
        """The node that runs at the peak."""
        return None if self._peak is None else self._peak.node

    @cached_property
    def _paths(self) -> Paths:
        return Paths(self.graph, {value: tensor.dtype for value, tensor in self._inference.tensors.items()})

    def source(self, value: str) -> str:
        """The value that this one is a copy of, or itself."""
        return self._paths.source(value)

    def users(self, value: str) -> tuple[Node, ...]:
        """The nodes that read a value or a copy of it, in order."""
        return self._paths.users(value)

    def single_user(self, value: str) -> Node | None:
        """The one node that reads a value; None when there are several, none, or it is an output."""
        return self._paths.single_user(value)

    def maker(self, value: str) -> Node | None:
        """The node that really makes a value; None for inputs of the graph."""
        return self.graph.producers.get(self._paths.source(value))

    def reaches_output(self, value: str) -> bool:
        """Whether a value or a copy of it is an output of the graph."""
        return self._paths.is_output(value)

    @cached_property
    def reachable(self) -> frozenset[str]:
        """Names of the nodes that some output needs."""
        return reachable(self.graph)

    def is_dead(self, node: Node) -> bool:
        """Whether no output needs a node."""
        return node.name not in self.reachable

    @cached_property
    def _fed(self) -> frozenset[str]:
        return fed_nodes(self.graph)

    def holds_whole_numbers(self, value: str) -> bool:
        """Whether a value is known to hold integers or truth values: indices, lengths, masks."""
        dtype = self.tensor(value).dtype
        return dtype is not None and ("int" in dtype or dtype == "bool")

    def reads_input(self, node: Node) -> bool:
        """Whether what a node makes depends on the values of a model input, or on chance."""
        return node.name in self._fed

    @cached_property
    def dead_nodes(self) -> tuple[Node, ...]:
        """Nodes that no output needs, constants left out."""
        return dead_nodes(self.graph, self.reachable)

    @cached_property
    def unused_inputs(self) -> tuple[str, ...]:
        """Inputs that no output needs."""
        return unused_inputs(self.graph, self.reachable)

    def head(self, place: Node | str) -> Head:
        """Where the chain of single readers from a node (its first output) or a value ends."""
        value = place if isinstance(place, str) else place.outputs[0] if place.outputs else ""
        return head_of(self._basis, self._paths, value)

    @cached_property
    def endings(self) -> tuple[Ending, ...]:
        """How each output ends, in order."""
        return endings(self._basis, self._paths)

    @cached_property
    def _lengths(self) -> Trace:
        return trace(self._basis)

    @cached_property
    def _positions(self) -> Trace:
        return trace(self._basis, lengths=False)

    def axes(self, value: str) -> Axes:
        """Per axis, the axes of model inputs that its length depends on; None when not known."""
        return self._lengths.axes.get(value)

    @cached_property
    def _fields(self) -> Mapping[str, Fields]:
        return spread_fields(self._basis, self._positions)

    def receptive_fields(self, value: str) -> tuple[ReceptiveField, ...]:
        """What part of each map-like model input an element of the value can see."""
        return receptive_fields(self._fields.get(value))

    def receptive_field(self, value: str) -> ReceptiveField | None:
        """The only receptive field; None when there is none, several, or it is not known."""
        found = self.receptive_fields(value)
        return found[0] if len(found) == 1 else None

    @cached_property
    def spatial_inputs(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Map-like model inputs with their spatial axes of fixed length."""
        return spatial_inputs(self._basis, self._positions)

    @cached_property
    def spatial_blockers(self) -> tuple[Blocker, ...]:
        """What keeps the size of map-like inputs from being dynamic."""
        return spatial_blockers(self._basis, self._lengths, self.spatial_inputs)

    @cached_property
    def linear_regions(self) -> tuple[tuple[Node, ...], ...]:
        """Groups of learned linear maps with nothing nonlinear between them."""
        return linear_regions(self._basis)

    @cached_property
    def _after_conv(self) -> frozenset[str]:
        return nodes_after_conv(self.graph)

    def conv_upstream(self, node: Node) -> bool:
        """Whether a convolution lies on some way from an input to the node."""
        return node.name in self._after_conv

    def learners_after(self, value: str) -> tuple[Node, ...]:
        """The first nodes with weights that a value reaches, in order."""
        return learners_after(self.graph, value)

    @cached_property
    def lost_masks(self) -> tuple[LostMask, ...]:
        """Keras masks that are dropped before a node that needs them."""
        return lost_masks(self.graph)

    @cached_property
    def blind_attentions(self) -> tuple[Node, ...]:
        """Attention over words whose order the model never learns."""
        return blind_attentions(self.graph, self._inference)

    def last_step_picks(self, node: Node) -> tuple[Node, ...] | None:
        """The nodes that pick only the last step of a recurrent node's sequence; None when more is read."""
        return last_step_picks(self._basis, node)
