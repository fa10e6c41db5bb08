"""What ``kaa install`` and ``kaa update`` share: plan, question, work, answer."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kaa.model.errors import AbortedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from kaa.cli.invocation import Invocation
    from kaa.model.plan import Plan
    from kaa.model.progress import Progress
    from kaa.store.layout import Layout
    from kaa.workflows.change import ChangeRequest, EnvironmentChange

    Prepare = Callable[
        [ChangeRequest, Layout, Progress], AbstractAsyncContextManager[EnvironmentChange]
    ]


async def change_environment(
    prepare: Prepare, request: ChangeRequest, invocation: Invocation
) -> None:
    """Show the plan that ``prepare`` makes, ask, carry it out, and answer.

    A plan in which nothing changes is not asked about, and changes nothing.
    """
    import asyncio
    from contextlib import AsyncExitStack

    from kaa.cli.plan import plan_total, show_plan, write_plan_answer
    from kaa.cli.progress import display
    from kaa.cli.question import confirm
    from kaa.settings.directories import this_layout
    from kaa.workflows.bring import bring
    from kaa.workflows.change import carry_out_change

    layout = this_layout()
    if invocation.fix:
        from kaa.cli.repair import mend_first

        await mend_first(request.name, request.prefix, request.options.offline, invocation)
    async with AsyncExitStack() as stack:
        with display(invocation) as progress:
            change = await stack.enter_async_context(prepare(request, layout, progress))
        plan = change.plan
        if invocation.speaks:
            show_plan(plan, verbose=invocation.verbosity > 0)
        environment = None
        if not invocation.dry_run:
            if not plan.nothing_to_do:
                confirm(invocation, f"{_verb(invocation)} {plan.name}: {plan_total(plan)}")
            with display(invocation) as progress:
                try:
                    if invocation.download_only:
                        await bring(
                            change.solution, layout, change.supply, progress, change.sources
                        )
                    else:
                        environment = await carry_out_change(change, layout, progress)
                except asyncio.CancelledError:
                    raise _interrupted(plan) from None
    if invocation.json:
        write_plan_answer(plan, environment, invocation)
    elif invocation.speaks:
        _say_what_was_done(plan, environment.generation if environment else None, invocation)


def _verb(invocation: Invocation) -> str:
    return "Download for" if invocation.download_only else "Change"


def _say_what_was_done(plan: Plan, generation: int | None, invocation: Invocation) -> None:
    from kaa.cli.text import printable, write_line

    if plan.nothing_to_do:
        return  # the plan has said so
    if generation is None:
        write_line(nothing_changed(invocation))
    else:
        write_line(printable(f"Changed {plan.name}; it is at generation {generation} now."))


def nothing_changed(invocation: Invocation) -> str:
    """Return the sentence for a command that was to change nothing."""
    if invocation.dry_run:
        return "Dry run: nothing was changed."
    return "The packages are in the cache; nothing was changed."


def _interrupted(plan: Plan) -> AbortedError:
    """Return the error that tells the truth: the rename may have been done already."""
    from kaa.environments.prefix import Prefix

    if Prefix(plan.prefix).current_number == plan.generation:
        return AbortedError("interrupted; nothing was changed")
    chosen = shlex.quote(str(plan.prefix))
    return AbortedError(
        f"interrupted; {plan.name} has changed, but its kernel may be out of date",
        hint=f"the next change of it brings the kernel up to date (kaa update -p {chosen} --all)",
    )
