"""How the discriminator gets the class or source, or predicts the class; mintage/catalog.py has the names."""

from dataclasses import dataclass

from mintage.conditioning.heads import Auxiliary, InformationCode, Origin, Projection, Score, SemiSupervised
from mintage.conditioning.images import Beside, ConcatPlane, Domain, Hole, Product, Repeat, Unlabeled


@dataclass(frozen=True)
class DiscriminatorConditioning:
    """How its input image is made, and the head that gives its output."""

    image: type[Unlabeled] = Unlabeled
    head: type[Score] = Score

    @property
    def plain(self) -> bool:
        """Whether its only output is a score."""
        return self.head is Score

    @property
    def reads_code(self) -> bool:
        return self.head is InformationCode

    @property
    def needs_probability(self) -> bool:
        """Whether its logit must be that of a probability."""
        return self.head in (SemiSupervised, Origin)

    @property
    def judges_match(self) -> bool:
        """Whether its score judges the image together with its condition."""
        return self.image is not Unlabeled or self.head is Projection

    @property
    def teaches_class(self) -> bool:
        """Whether it can teach a generator to make the class that is asked for."""
        return self.needs_labels and self.head is not SemiSupervised

    @property
    def needs_labels(self) -> bool:
        return self.image.takes == "label" or self.head in (Projection, Auxiliary, SemiSupervised)

    @property
    def needs_sources(self) -> bool:
        return self.image.takes == "source"

    @property
    def needs_domains(self) -> bool:
        return self.image is Domain

    @property
    def tells_origin(self) -> bool:
        """Whether it classifies an image's origin: made from the other domain, from its own, or real."""
        return self.head is Origin

    @property
    def needs_mask(self) -> bool:
        return self.image is Hole


NONE = DiscriminatorConditioning()
CONCAT = DiscriminatorConditioning(image=ConcatPlane)
PRODUCT = DiscriminatorConditioning(image=Product)
REPEAT = DiscriminatorConditioning(image=Repeat)
PROJECTION = DiscriminatorConditioning(head=Projection)
AUXILIARY = DiscriminatorConditioning(head=Auxiliary)
SEMI_SUPERVISED = DiscriminatorConditioning(head=SemiSupervised)
ORIGIN = DiscriminatorConditioning(head=Origin)
CODE = DiscriminatorConditioning(head=InformationCode)
SOURCE = DiscriminatorConditioning(image=Beside)
HOLE = DiscriminatorConditioning(image=Hole)
DOMAIN = DiscriminatorConditioning(image=Domain)
