"""What the planner says of the model and machine that `bench` measured."""

from dataclasses import dataclass, field, replace

from app.evaluation.verdicts import Planned
from app.search.models import Models
from indexer.embedding.planning.choose import plan_for
from indexer.embedding.planning.plan import SmallerModel
from indexer.embedding.planning.planner import smaller_models
from indexer.embedding.planning.published import SMALLER
from indexer.embedding.planning.size import read_size
from indexer.embedding.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Prospect:
    """Of one model on this machine."""

    planned: Planned = field(default_factory=dict)
    smaller: tuple[SmallerModel, ...] = ()


def prospect(models: Models, spec: ModelSpec) -> Prospect:
    """The plan for all placements, after measuring: quality checks are known then.

    Empty where the weights are not on this machine.
    """
    if not spec.weights_bytes:
        return Prospect()
    # Modes were named one by one: the settings' own choice of one is no reason against the others.
    wishes = replace(models.wishes, placement=None, precision=None)
    checked = models.checked(spec)
    size = read_size(spec)
    plan = plan_for(size, wishes, checked, spec.transformer_folder, measure_speed=True)
    planned = {}
    for option in reversed(plan.options):  # from worst to best: the best engine of a mode stays
        planned[option.mode] = option
    return Prospect(planned, smaller_models(size, plan.hardware, wishes, checked, SMALLER))
