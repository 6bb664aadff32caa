"""What a world is: SceneSpec and everything in it. Imports nothing else of physreel but its errors."""

from physreel.spec.base import IDENTITY, Quat, SpecModel, Vec3
from physreel.spec.bodies import Body, Coupling, Joint, Keyframe, Motor
from physreel.spec.cameras import (
    Air,
    Camera,
    CameraKeyframe,
    Environment,
    Light,
    Microphone,
    SphereLight,
    SunLight,
)
from physreel.spec.looks import Look, Texture
from physreel.spec.materials import CONTACT_PAIRS, MATERIALS, ContactPair, Material, combine_contact
from physreel.spec.scene_spec import SceneSpec, spec_problems
from physreel.spec.shapes import (
    Box,
    Capsule,
    Compound,
    Cone,
    ConvexHull,
    ConvexShape,
    Cylinder,
    Ellipsoid,
    Piece,
    Plane,
    Shape,
    Sphere,
    TriangleMesh,
)

__all__ = [
    "CONTACT_PAIRS",
    "IDENTITY",
    "MATERIALS",
    "Air",
    "Body",
    "Box",
    "Camera",
    "CameraKeyframe",
    "Capsule",
    "Compound",
    "Cone",
    "ContactPair",
    "ConvexHull",
    "ConvexShape",
    "Coupling",
    "Cylinder",
    "Ellipsoid",
    "Environment",
    "Joint",
    "Keyframe",
    "Light",
    "Look",
    "Material",
    "Microphone",
    "Motor",
    "Piece",
    "Plane",
    "Quat",
    "SceneSpec",
    "Shape",
    "SpecModel",
    "Sphere",
    "SphereLight",
    "SunLight",
    "Texture",
    "TriangleMesh",
    "Vec3",
    "combine_contact",
    "spec_problems",
]
