"""How the discriminator is told the class or asked for it, or shown the source; mintage/catalog.py has the names."""

from dataclasses import dataclass

from mintage.conditioning.heads import Auxiliary, InformationCode, Origin, Projection, Score, SemiSupervised
from mintage.conditioning.images import Beside, ConcatPlane, Domain, Hole, Product, Repeat, Unlabelled


@dataclass(frozen=True)
class DiscriminatorConditioning:
    """What happens to its image, and what it says."""

    image: type[Unlabelled] = Unlabelled
    head: type[Score] = Score

    @property
    def plain(self) -> bool:
        """Whether it says nothing but a score."""
        return self.head is Score

    @property
    def reads_code(self) -> bool:
        return self.head is InformationCode

    @property
    def needs_probability(self) -> bool:
        """Whether its logit must be one of a probability."""
        return self.head in (SemiSupervised, Origin)

    @property
    def judges_match(self) -> bool:
        """Whether its score is that of the image together with its label or source."""
        return self.image is not Unlabelled or self.head is Projection

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
        """Whether it tells of which domain an image was made."""
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
