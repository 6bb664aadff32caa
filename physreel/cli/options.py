"""The app and the options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Make training clips whose physics is known: simulated, filmed, recorded, labelled, stored.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

SceneOrRecipe = Annotated[
    str, typer.Argument(metavar="SCENE", help="A scene's name, module:Class or file.py:Class; or a recipe: mix.yaml.")
]
Size = Annotated[str | None, typer.Option("--size", metavar="WxH", help="Pixels, such as 320x240.")]
Fps = Annotated[int | None, typer.Option("--fps", help="Frames per second.")]
Duration = Annotated[float | None, typer.Option("--duration", help="Seconds a clip lasts.")]
Quality = Annotated[
    str | None, typer.Option("--quality", help="draft, standard or fine: how finely liquids are divided.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A parameter of the scene: 0.7, 0.5..1.5 or wood|marble; may be given several times.",
    ),
]
Simulator = Annotated[str | None, typer.Option("--simulator", help="By default the first that can run the scene.")]
VideoRenderer = Annotated[str, typer.Option("--video-renderer", help="What makes the pictures.")]
AudioRenderer = Annotated[str, typer.Option("--audio-renderer", help="What makes the sound.")]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="Record no sound.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the data set, 0 or more.")]
Progress = Annotated[
    bool | None, typer.Option("--progress/--no-progress", help="A bar; by default where stderr is a terminal.")
]
