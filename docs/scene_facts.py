"""What the pages of scenes say that no class knows: which laws hold a scene, and by which tests; what events mean."""

from __future__ import annotations

MORE = {
    "falling": ("how the engine keeps them", "../simulators.md"),
    "pouring": ("how it is built and read", "../liquids.md#pouring"),
    "dam_break": ("how it is built and read", "../liquids.md#dam_break"),
    "sloshing": ("how it is built and read", "../liquids.md#sloshing"),
    "sink_or_float": ("how it is built and read", "../liquids.md#sink_or_float"),
    "draining": ("how it is built and read", "../liquids.md#draining"),
    "engine": ("how it is built and read", "../machines.md#engines"),
    "bearing": ("how it is built and read", "../machines.md#bearings"),
    "gears": ("how it is built and read", "../machines.md#gears"),
    "mechanism": ("how it is built and read", "../machines.md#a-mechanism-to-mend"),
}

_SHARES = (
    "what is poured, spilled and left adds up, particle by particle",
    ("test_liquid_laws.py::test_what_is_poured_spilled_and_left_adds_up",),
)
_TIGHT = ("no liquid goes through walls", ("test_liquid_laws.py::test_no_liquid_goes_through_walls",))
_PARABOLA = (
    "drops in the air fly parabolas, and momentum is kept",
    ("test_liquid_laws.py::test_a_thrown_drop_flies_a_parabola", "test_liquid_laws.py::test_momentum_is_kept"),
)
_VOLUME = (
    "a column at rest stands as high as its volume says, and comes to rest",
    (
        "test_liquid_laws.py::test_a_column_at_rest_stands_as_high_as_its_particles_fill",
        "test_liquid_laws.py::test_liquid_comes_to_rest",
    ),
)
_BUBBLES = (
    "drops ring at Minnaert's pitch, and fade as heat, radiation and viscosity say",
    (
        "test_audio_liquids.py::test_a_drop_rings_at_minnaerts_pitch",
        "test_audio_liquids.py::test_a_bubble_fades_as_heat_radiation_and_viscosity_say",
    ),
)

# (what holds, the tests that would fail): file::function under tests/.
LAWS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "falling": (
        (
            "free fall z = g t²/2, range v² sin 2θ / g",
            ("test_laws_motion.py::test_free_fall", "test_laws_motion.py::test_projectile_range"),
        ),
        (
            "the energy and angular momentum of a tumbling box are kept",
            ("test_laws_motion.py::test_tumbling_box",),
        ),
        (
            "bounces and head-on collisions at the restitution of the pair of materials",
            ("test_laws_contact.py::test_bounce", "test_laws_contact.py::test_head_on_collision"),
        ),
        (
            "sliding friction stops a block in v²/2μg and holds it below tan θ = μ",
            ("test_laws_contact.py::test_sliding_block_stops", "test_laws_contact.py::test_block_on_incline"),
        ),
        (
            "spheres and cylinders roll down at g sin θ / (1 + I/mr²), and rolling friction stops them",
            (
                "test_laws_contact.py::test_rolling_from_rest",
                "test_laws_contact.py::test_rolling_friction_stops_a_ball",
            ),
        ),
        (
            "blocks topple at the angle of their corner, stacks stand still",
            ("test_laws_contact.py::test_toppling", "test_laws_contact.py::test_stack_rests"),
        ),
        (
            "the outcome of a dropped ball is that of closed form",
            ("test_falling.py::test_the_outcome_of_a_dropped_ball_is_that_of_closed_form",),
        ),
        (
            "a blow lasts as long as Hertz says; bars and balls ring at the frequencies of theory",
            (
                "test_audio_sound.py::test_contact_lasts_as_long_as_hertz_says",
                "test_audio_modes.py::test_slender_bar_rings_at_the_frequencies_of_beam_theory",
                "test_audio_modes.py::test_ball_rings_as_lamb_found",
            ),
        ),
    ),
    "pouring": (
        _SHARES,
        _TIGHT,
        _PARABOLA,
        ("honey runs slower than water", ("test_liquid_laws.py::test_honey_runs_slower_than_water",)),
        (
            "times of arrival are those of the parabolas",
            ("test_pouring.py::test_times_of_arrival_and_what_is_met_first_are_those_of_the_parabolas",),
        ),
        (
            "a pour arrives and fills, one set far off misses, a small vessel overflows",
            (
                "test_liquid_scenes_simulated.py::test_a_pour_arrives_fills_and_is_told",
                "test_liquid_scenes_simulated.py::test_a_pour_that_is_set_far_off_misses",
                "test_liquid_scenes_simulated.py::test_a_small_vessel_overflows_and_a_large_one_does_not",
            ),
        ),
        (
            "the pitch of a filling glass follows the air above the liquid",
            (
                "test_audio_liquids.py::test_the_pitch_of_a_filling_glass_follows_its_air",
                "test_pouring_heard.py::test_the_pitch_of_filling_glasses_follows_their_air",
            ),
        ),
        _BUBBLES,
    ),
    "dam_break": (
        ("the front runs as Martin and Moyce (1952) measured", ("test_liquid_laws.py::test_a_dam_breaks_as_measured",)),
        (
            "in the scene too, and it reaches the far wall",
            ("test_liquid_scenes_simulated.py::test_a_front_runs_as_fast_as_fronts_do_and_reaches_the_wall",),
        ),
        _VOLUME,
        _TIGHT,
        _PARABOLA,
    ),
    "sloshing": (
        ("a tank sways at √(g k tanh k h) / 2π", ("test_liquid_laws.py::test_liquid_sways_at_its_frequency",)),
        (
            "so does a tank of the scene after a push",
            ("test_liquid_scenes_simulated.py::test_a_pushed_tank_swings_at_its_frequency",),
        ),
        (
            "a shaken tank keeps to its frequency and a pushed one to its speed",
            ("test_liquid_scenes.py::test_a_shaken_tank_keeps_to_its_frequency_and_a_pushed_one_to_its_speed",),
        ),
        _VOLUME,
        _TIGHT,
    ),
    "sink_or_float": (
        (
            "a box floats as deep as h ρ/ρ_liquid, and sinks if it is denser",
            (
                "test_liquid_laws.py::test_a_box_floats_as_deep_as_it_is_heavy",
                "test_liquid_laws.py::test_a_box_denser_than_water_sinks",
            ),
        ),
        (
            "light bodies of the scene float and heavy ones sink; looks tell nothing of weight",
            (
                "test_liquid_scenes_simulated.py::test_light_bodies_float_and_heavy_ones_sink",
                "test_liquid_scenes.py::test_looks_tell_nothing_of_weight",
            ),
        ),
        _VOLUME,
        _TIGHT,
        ("a stone that falls into water plops", ("test_audio_liquids.py::test_a_stone_that_falls_into_water_plops",)),
    ),
    "draining": (
        (
            "a hole lets out what Torricelli and a discharge of 0.6 to 1 say",
            ("test_liquid_laws.py::test_a_hole_lets_out_what_it_should",),
        ),
        (
            "a pot of the scene runs out at that speed and is empty when it should",
            ("test_liquid_scenes_simulated.py::test_a_pot_runs_out_at_torricellis_speed_and_is_empty_when_it_should",),
        ),
        _SHARES,
        _TIGHT,
        _BUBBLES,
    ),
    "engine": (
        (
            "the piston goes as r cos θ + √(l² - r² sin² θ)",
            ("test_gas.py::test_the_piston_goes_as_the_closed_form_has_it",),
        ),
        (
            "motored compression is polytropic; work on the piston is ∮ p dV",
            (
                "test_gas.py::test_motored_compression_is_polytropic_and_gives_nothing",
                "test_gas.py::test_fired_work_is_the_loop_of_pressure_and_volume",
            ),
        ),
        ("a sound engine runs as fast as asked", ("test_engine.py::test_it_runs_at_the_speed_that_was_asked_for",)),
        (
            "the belt's ratio is that of the radii, and it holds to Eytelwein's limit",
            (
                "test_belts.py::test_the_ratio_is_that_of_the_radii",
                "test_belts.py::test_it_holds_to_eytelweins_limit_and_no_further",
            ),
        ),
        ("each fault is found in the trajectory", ("test_engine.py::test_faults_are_found_in_the_trajectory",)),
        (
            "the note has lines at the firing frequency, with a misfire at half the crank's",
            (
                "test_engine.py::test_the_notes_lines_are_at_the_firing_frequency",
                "test_engine.py::test_a_misfire_limps_at_half_the_cranks_frequency",
            ),
        ),
    ),
    "bearing": (
        (
            "a pit is heard at the frequency of the closed form, with and without slip",
            (
                "test_bearing_laws.py::test_a_defect_is_heard_at_the_frequency_of_the_closed_form",
                "test_bearing_laws.py::test_the_same_holds_of_a_shaft_that_an_engine_turns",
            ),
        ),
        (
            "a sound bearing is heard and has no such line",
            ("test_bearing_laws.py::test_a_healthy_bearing_is_heard_and_has_no_such_line",),
        ),
        (
            "orders are those of the makers' tables",
            ("test_bearing_laws.py::test_orders_are_those_of_the_makers_tables",),
        ),
        ("loads on the balls carry the shaft", ("test_bearings.py::test_loads_carry_the_shaft",)),
        (
            "a guard lets through what the mass law says",
            ("test_bearings.py::test_a_wall_lets_through_what_the_mass_law_says_and_a_gap_its_share",),
        ),
        (
            "nothing but the pit hangs on the fault",
            ("test_bearing_scene.py::test_nothing_but_the_pit_hangs_on_the_fault",),
        ),
    ),
    "gears": (
        (
            "over ten turns the ratio is that of tooth numbers to 0.1 %: trains, stages, planets",
            (
                "test_gear_laws.py::test_ratio_of_a_train_over_ten_turns",
                "test_gear_laws.py::test_ratio_of_a_compound_train",
                "test_gear_laws.py::test_ratio_of_a_planetary_train",
            ),
        ),
        (
            "no more power comes out than goes in, and free gears gain no energy",
            (
                "test_gear_laws.py::test_power_out_is_no_more_than_power_in",
                "test_gear_laws.py::test_free_gears_do_not_gain_energy",
                "test_gears_scene.py::test_no_more_power_comes_out_than_goes_in",
            ),
        ),
        (
            "an odd ring of gears moves no more than its play",
            (
                "test_gear_laws.py::test_locked_loop_moves_no_more_than_its_backlash",
                "test_gears_scene.py::test_an_odd_ring_moves_no_more_than_its_play",
            ),
        ),
        (
            "a tooth breaks when the force on it passes its strength; behind a gap the next gear coasts",
            (
                "test_gear_laws.py::test_a_weak_tooth_breaks_when_the_force_on_it_passes_its_strength",
                "test_gear_laws.py::test_missing_teeth_let_the_next_gear_coast",
            ),
        ),
        (
            "the sound beats at the mesh frequency and its multiples, runout a turn away from them",
            (
                "test_gear_sound.py::test_the_loudness_beats_at_the_mesh_frequency",
                "test_gear_sound.py::test_the_sound_itself_has_harmonics_of_the_mesh_frequency",
                "test_gear_sound.py::test_runout_gives_sidebands_a_turn_away",
            ),
        ),
    ),
    "mechanism": (
        ("a sound machine does its job", ("test_mechanism.py::test_a_sound_machine_does_its_job",)),
        (
            "each fault stops it, and its own repair alone mends it",
            ("test_mechanism.py::test_a_fault_stops_the_job_and_its_repair_alone_mends_it",),
        ),
        (
            "no repair is claimed that was not simulated",
            ("test_mechanism.py::test_without_the_simulated_repair_nothing_is_claimed",),
        ),
        (
            "its teeth and its belt keep the laws of gears and belts",
            (
                "test_gear_laws.py::test_ratio_of_a_train_over_ten_turns",
                "test_belts.py::test_it_holds_to_eytelweins_limit_and_no_further",
                "test_belts.py::test_no_energy_comes_from_it",
            ),
        ),
    ),
}

EVENTS = {
    "first_contact": "two bodies touch for the first time",
    "bounce": "a body leaves what it hit, and was free before and after",
    "leave_support": "a body goes off what carried it",
    "rest": "a body has come to rest for good",
    "first_drop": "some liquid leaves a vessel that held it",
    "liquid_contact": "the first liquid comes through the air to a body",
    "overflow_begins": "a vessel runs over",
    "vessel_empty": "a vessel is empty from then on",
    "splash": "a body enters liquid",
    "floats": "a body has come to float",
    "sinks": "a body has come to lie on the bottom",
    "first_motion": "a shaft begins to turn",
    "jam": "a motor pushes, and its shaft stands for good",
    "tooth_lost": "a tooth breaks off",
    "slip_begins": "a belt begins to slide on its pulleys",
    "knocking_begins": "a bearing begins to knock",
}

_LOOSE = ("first_contact", "bounce", "leave_support", "rest")
_LIQUID = ("first_drop", "liquid_contact", "overflow_begins", "vessel_empty")

EVENTS_OF: dict[str, tuple[str, ...]] = {
    "falling": _LOOSE,
    "pouring": _LIQUID,
    "dam_break": ("first_drop", "liquid_contact"),
    "sloshing": ("first_drop", "liquid_contact"),
    "sink_or_float": (*_LOOSE, "first_drop", "liquid_contact", "splash", "floats", "sinks"),
    "draining": _LIQUID,
    "engine": ("first_motion", "slip_begins", "knocking_begins"),
    "bearing": ("first_motion", "knocking_begins"),
    "gears": (*_LOOSE, "first_motion", "jam", "tooth_lost"),
    "mechanism": (*_LOOSE, "first_motion", "jam", "slip_begins"),
}
"""What may happen in each; tests/test_scene_pages.py holds the clips it makes to it."""

_SEEN = (
    "first_to_touch", "touches_before", "first_hit_time", "fastest_hit", "touches", "count_of_these", "bounce_count",
    "bounces_highest", "rests_on", "last_to_stop", "moving_at_end", "rest_time",
)  # fmt: skip

GENERAL_OF: dict[str, tuple[str, ...]] = {
    "falling": (*_SEEN, "impacts_heard", "impact_in_window", "would_it"),
    "pouring": (),
    "dam_break": (),
    "sloshing": (),
    "sink_or_float": _SEEN,
    "draining": (),
    "engine": (),
    "bearing": (),
    "gears": (*_SEEN, "would_it"),
    "mechanism": (*_SEEN, "would_it"),
}
"""Kinds of docs/labels.md that each may be asked, beside its own."""
