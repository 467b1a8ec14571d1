"""`cadencia completion`: scripts that complete commands and options in a shell."""

import click
from click import shell_completion


@click.group()
def group() -> None:
    """Print a script that completes commands and options with the Tab key.

    \b
    Examples:
      eval "$(cadencia completion bash)"
      eval "$(cadencia completion zsh)"
    """


@group.command()
@click.pass_context
def bash(context: click.Context) -> None:
    """Print the script for bash 4.4 or newer. Put the first example into ~/.bashrc to have it in every shell.

    \b
    Examples:
      eval "$(cadencia completion bash)"
      cadencia completion bash > ~/.local/share/bash-completion/completions/cadencia
    """
    _print(shell_completion.BashComplete, context)


@group.command()
@click.pass_context
def zsh(context: click.Context) -> None:
    """Print the script for zsh. Put the example into ~/.zshrc, after compinit, to have it in every shell.

    \b
    Example:
      eval "$(cadencia completion zsh)"
    """
    _print(shell_completion.ZshComplete, context)


def _print(shell: type[shell_completion.ShellComplete], context: click.Context) -> None:
    click.echo(shell(context.find_root().command, {}, "cadencia", "_CADENCIA_COMPLETE").source())
