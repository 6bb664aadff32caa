"""The spec is a value: frozen, exact in JSON, and every fault in it is told at once with its path."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physreel.errors import SpecError
from physreel.spec import (
    CONTACT_PAIRS,
    MATERIALS,
    Body,
    Box,
    Camera,
    CameraKeyframe,
    ContactPair,
    ConvexHull,
    Coupling,
    Joint,
    Keyframe,
    Material,
    Plane,
    SceneSpec,
    Sphere,
    TriangleMesh,
    combine_contact,
)
from physreel.testing import small_world

finite = st.floats(-1e3, 1e3, allow_nan=False)
vectors = st.tuples(finite, finite, finite)


@settings(max_examples=60, deadline=None)
@given(position=vectors, velocity=vectors, radius=st.floats(1e-3, 10.0), quat=st.tuples(finite, finite, finite, finite))
def test_json_round_trip_is_exact(position, velocity, radius, quat):
    if sum(q * q for q in quat) < 1e-12:
        return
    body = Body(
        name="a",
        shape=Sphere(radius_m=radius),
        material="steel",
        position_m=position,
        velocity_m_s=velocity,
        orientation_wxyz=quat,
    )
    spec = SceneSpec(scene="x", duration_s=1.0, fps=10, bodies=(body,))
    again = SceneSpec.from_json(spec.to_json())
    assert again == spec
    assert again.to_json() == spec.to_json()


def test_all_problems_are_listed_at_once_with_their_paths():
    world = json.loads(small_world().to_json())
    world["bodies"][1]["shape"]["radius_m"] = -0.1
    world["bodies"][2]["position_m"][0] = "sideways"
    world["fps"] = 0
    world["colour"] = "red"
    world["bodies"][2]["material"] = "wodo"
    with pytest.raises(SpecError) as caught:
        SceneSpec.from_json(json.dumps(world))
    text = str(caught.value)
    assert len(caught.value.problems) == 5
    for path in ("bodies.1.shape", "bodies.2.position_m.0", "fps", "colour", "bodies.2.material"):
        assert path in text


def test_dangling_references_are_listed_at_once():
    world = json.loads(small_world().to_json())
    world["bodies"][1]["material"] = "steeel"
    world["joints"] = [{"name": "j", "kind": "hinge", "child": "nobody"}]
    world["couplings"] = [{"name": "c", "joint_a": "j", "joint_b": "k", "ratio": 2.0}]
    world["no_contact"] = [["ball", "ghost"]]
    with pytest.raises(SpecError) as caught:
        SceneSpec.from_json(json.dumps(world))
    text = str(caught.value)
    for word in ("no material named 'steeel'", "'nobody'", "'k'", "'ghost'"):
        assert word in text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_refused_with_the_field(value):
    text = small_world().to_json().replace('"position_m":[-0.12,0.0,0.35]', f'"position_m":[-0.12,{value},0.35]')
    assert value in text
    with pytest.raises(SpecError, match=r"bodies\.1\.position_m\.1"):
        SceneSpec.from_json(text)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Body(name="p", shape=Plane(), material="oak"), "cannot be dynamic"),
        (lambda: Body(name="p", shape=Sphere(radius_m=1), material="oak", motion="driven"), "keyframes are needed"),
        (
            lambda: Body(
                name="p", shape=Sphere(radius_m=1), material="oak", motion="static", velocity_m_s=(1.0, 0.0, 0.0)
            ),
            "only dynamic bodies",
        ),
        (
            lambda: Body(
                name="p",
                shape=Box(size_m=(1, 1, 1)),
                material="oak",
                motion="driven",
                keyframes=(Keyframe(time_s=1, position_m=(0, 0, 0)), Keyframe(time_s=1, position_m=(0, 0, 1))),
            ),
            "must increase",
        ),
        (
            lambda: Body(name="p", shape=Sphere(radius_m=1), material="oak", mass_kg=1.0, inertia_kg_m2=(1, 1, 3)),
            "triangle rule",
        ),
        (lambda: ConvexHull(points_m=((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0))), "one plane"),
        (lambda: TriangleMesh(vertices_m=((0, 0, 0), (1, 0, 0), (0, 1, 0)), faces=((0, 1, 3),)), "only 0..2"),
        (lambda: Joint(name="j", kind="hinge", child="a", limits=(1.0, 1.0)), "low < high"),
        (lambda: Joint(name="j", kind="ball", child="a", stiffness=2.0), "no limits, motor, stiffness or friction"),
        (lambda: CameraKeyframe(position_m=(0, 0, 1), look_at_m=(0, 0, 0)), "straight above"),
        (
            lambda: Body(name="p", shape=Sphere(radius_m=1), material="oak", orientation_wxyz=(0, 0, 0, 0)),
            "zero vector",
        ),
    ],
)
def test_impossible_parts_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_specs_cannot_be_changed():
    spec = small_world()
    with pytest.raises(ValueError, match="frozen"):
        spec.fps = 3


def test_frame_period_is_a_whole_number_of_steps():
    for fps in (7, 24, 25, 29, 30, 60, 240):
        spec = small_world().model_copy(update={"fps": fps})
        step = 1.0 / (fps * spec.substeps)
        assert step <= spec.step_s * (1 + 1e-9)
        assert spec.substeps == 1 or 1.0 / (fps * (spec.substeps - 1)) > spec.step_s


def test_contact_pairs_go_from_the_specific_to_the_general():
    own = ContactPair(material_a="oak", material_b="steel", restitution=0.1, friction=0.9)
    spec = small_world()
    assert spec.contact("steel", "steel") == CONTACT_PAIRS[frozenset({"steel"})]
    assert spec.contact("oak", "steel") == spec.contact("steel", "oak").model_copy(
        update={"material_a": "oak", "material_b": "steel"}
    )
    assert spec.model_copy(update={"contact_pairs": (own,)}).contact("steel", "oak") == own
    softer = MATERIALS["steel"].model_copy(update={"restitution": 0.2})
    assert spec.model_copy(update={"materials": (softer,)}).contact("steel", "steel").restitution == pytest.approx(0.2)


def test_the_softer_partner_decides_the_bounce():
    rubber, steel = MATERIALS["rubber"], MATERIALS["steel"]
    assert combine_contact(rubber, steel).restitution == pytest.approx(rubber.restitution, abs=1e-3)


def test_every_material_has_figures_and_a_source():
    wanted = {"steel", "aluminium", "glass", "ceramic", "oak", "pine", "rubber", "ABS", "cork", "ice"}
    assert wanted <= set(MATERIALS)
    for material in MATERIALS.values():
        assert isinstance(material, Material)
        assert material.source


def test_camera_has_the_axes_of_opencv():
    camera = Camera(
        width=200, height=100, fov_y_deg=90, keyframes=(CameraKeyframe(position_m=(0, -2, 1), look_at_m=(0, 0, 1)),)
    )
    pose, K = camera.camera_to_world(0.0), camera.intrinsics()
    assert pose[:3, 2] == pytest.approx([0, 1, 0])  # forward
    assert pose[:3, 0] == pytest.approx([1, 0, 0])  # right
    assert pose[:3, 1] == pytest.approx([0, 0, -1])  # down
    assert K[0, 0] == pytest.approx(50.0)
    assert (K[0, 2], K[1, 2]) == (100.0, 50.0)


def test_camera_eases_between_keyframes_and_holds_at_the_ends():
    keys = tuple(CameraKeyframe(time_s=t, position_m=(x, -2, 1), look_at_m=(0, 0, 1)) for t, x in ((1, 0), (3, 4)))
    camera = Camera(width=64, height=64, keyframes=keys)
    along = [camera.camera_to_world(t)[0, 3] for t in (0.0, 1.0, 1.5, 2.0, 3.0, 9.0)]
    assert along == pytest.approx([0, 0, 2 - 2 * math.cos(math.pi / 4), 2, 4, 4])


def test_couplings_join_only_coordinates():
    world = json.loads(small_world().to_json())
    world["joints"] = [{"name": n, "kind": k, "child": "ball"} for n, k in (("a", "hinge"), ("b", "ball"))]
    world["couplings"] = [Coupling(name="c", joint_a="a", joint_b="b", ratio=1.0).model_dump()]
    with pytest.raises(SpecError, match="only hinge and slide can be coupled"):
        SceneSpec.from_json(json.dumps(world))
