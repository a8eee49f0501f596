"""The advisor behind an OpenAI-compatible endpoint: bounded in time, size and tokens, and never believed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from analyzer.advisors.answer import Answer, NoAnswer, read_answer, response_format
from analyzer.advisors.budget import TokenBudget
from analyzer.advisors.endpoint import CallFailed, Endpoint, Reply
from analyzer.advisors.exchanges import Exchange, ExchangeLog
from analyzer.advisors.port import Advice, Brief, Usage
from analyzer.advisors.prompt import messages_for, repair_message
from snipbench.clock import Clock
from snipbench.errors import AdviceFailed, BudgetSpent
from snipbench.redaction import Redactor

LEAST_OUTPUT = 256
"""Tokens of output below which a call is not worth making."""
MESSAGE_OVERHEAD = 16
"""Tokens that an endpoint may add around each message."""
REPEATED_ANSWER = 4_000
"""Characters of an unusable answer that are sent back with the request to repair it."""
REASONS = {
    "timeout": "timeout",
    "connection": "unavailable",
    "too_large": "too_large",
    "malformed": "invalid",
}
PLAIN_NOTE = "the endpoint refused structured output; its answer was read from plain text"


@dataclass(frozen=True, slots=True)
class LlmLimits:
    """What one piece of advice may take. ``seconds`` is all of it: retries, waiting and the repair turn."""

    seconds: float = 120.0
    attempts: int = 4
    output_tokens: int = 4_096
    backoff_seconds: float = 0.5


@dataclass(slots=True)
class _Conversation:
    brief: Brief
    budget: TokenBudget
    deadline: float
    messages: list[dict[str, str]]
    tokens: int = 0
    calls: int = 0
    estimated: bool = False
    notes: list[str] = field(default_factory=list)


class LlmAdvisor:
    """Advisor that asks a language model. Its answer is code to be verified, nothing more.

    What the endpoint once refused (structured output, the name of the output limit) is not tried again in the order.
    """

    name = "llm"

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        clock: Clock,
        log: ExchangeLog,
        redactor: Redactor,
        limits: LlmLimits | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._model = model
        self._clock = clock
        self._log = log
        self._redactor = redactor
        self._limits = limits or LlmLimits()
        self._structured = True
        self._limit_key = "max_tokens"

    def advise(self, brief: Brief, budget: TokenBudget) -> Advice:
        """Ask, and once more where the answer cannot be used.

        Raises:
            AdviceFailed: no usable answer within time and budget.
            StoreError: the record of an exchange could not be kept.
        """
        talk = _Conversation(
            brief,
            budget,
            self._clock.monotonic() + self._limits.seconds,
            messages_for(brief, self._redactor),
        )
        reply = self._ask(talk)
        try:
            answer = self._read(reply, talk)
        except NoAnswer as first:
            talk.notes.append(f"the first answer could not be used ({first}); it was asked for again")
            repeated = (reply.text or "")[:REPEATED_ANSWER]
            talk.messages += [{"role": "assistant", "content": repeated}, repair_message(str(first))]
            reply = self._ask(talk)
            try:
                answer = self._read(reply, talk)
            except NoAnswer as second:
                problem = self._redactor.text(str(second))
                raise AdviceFailed("invalid", f"no usable answer: {problem}", tokens=talk.tokens) from None
        return self._advice(answer, reply, talk)

    def _advice(self, answer: Answer, reply: Reply, talk: _Conversation) -> Advice:
        clean = self._redactor.values
        return Advice(
            potential=answer.potential,
            suggestions=tuple(clean(text) for text in answer.suggestions),
            advisor=self.name,
            code=None if answer.code is None else clean(answer.code),
            kind=answer.kind,
            entry=answer.entry or talk.brief.entry,
            estimated_reduction=answer.estimated_reduction,
            model=clean(reply.model or self._model),
            usage=Usage(talk.tokens, talk.calls, talk.estimated),
            notes=tuple(clean(note) for note in dict.fromkeys(talk.notes)),
        )

    def _read(self, reply: Reply, talk: _Conversation) -> Answer:
        if reply.refusal is not None or reply.finish_reason == "content_filter":
            why = self._redactor.text(reply.refusal or "its content filter ended the answer")[:500]
            raise AdviceFailed("refused", f"the model refused: {why}", tokens=talk.tokens)
        if not reply.text:
            raise NoAnswer("it is empty")
        try:
            return read_answer(reply.text, talk.brief)
        except NoAnswer as problem:
            if reply.finish_reason == "length":
                raise NoAnswer(f"it was cut off at the output limit; {problem}") from None
            raise

    def _ask(self, talk: _Conversation) -> Reply:
        """Send the conversation until a completion comes, or trying again makes no sense."""
        attempt = 0
        while True:
            try:
                return self._call(talk)
            except CallFailed as failed:
                if self._fall_back(failed, talk):
                    continue
                attempt += 1
                self._wait(failed, attempt, talk)

    def _wait(self, failed: CallFailed, attempt: int, talk: _Conversation) -> None:
        reason = REASONS.get(failed.kind) or ("unavailable" if failed.may_pass else "rejected")
        left = talk.deadline - self._clock.monotonic()
        asked = failed.retry_after_seconds
        pause = self._limits.backoff_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
        pause = max(pause, asked or 0.0)
        why = str(failed)
        if failed.may_pass and attempt < self._limits.attempts:
            if pause < left:
                self._clock.sleep(pause)
                return
            why += f"; trying again would take {pause:.3g} s, {max(left, 0.0):.3g} s are left"
        elif attempt > 1:
            why += f" ({attempt} attempts)"
        retryable = failed.may_pass or failed.kind == "timeout"
        raise AdviceFailed(reason, why, retryable=retryable, tokens=talk.tokens) from None

    def _fall_back(self, failed: CallFailed, talk: _Conversation) -> bool:
        """Whether the request can be put more simply than the endpoint refused."""
        if failed.status not in (400, 404, 415, 422, 501):
            return False
        if self._limit_key == "max_tokens" and "max_completion_tokens" in failed.text:
            self._limit_key = "max_completion_tokens"
            return True
        if self._structured:
            self._structured = False
            return True
        return False

    def _call(self, talk: _Conversation) -> Reply:
        left = talk.deadline - self._clock.monotonic()
        if left <= 0:
            raise CallFailed("timeout", f"no answer within {self._limits.seconds:.3g} s", unprocessed=True)
        request: dict[str, Any] = {"model": self._model, "messages": talk.messages}
        if self._structured:
            request["response_format"] = response_format(talk.brief.kind)
        prompt_bound = token_bound(request)
        output = min(self._limits.output_tokens, talk.budget.left - prompt_bound)
        try:
            reservation = talk.budget.reserve(prompt_bound + max(output, LEAST_OUTPUT))
        except BudgetSpent as spent:
            raise BudgetSpent(needed=spent.needed, left=spent.left, tokens=talk.tokens) from None
        request[self._limit_key] = output
        fallback = None if self._structured else PLAIN_NOTE
        started = self._clock.monotonic()
        reply: Reply | None = None
        failed: CallFailed | None = None
        try:
            reply = self._endpoint.complete(request, seconds=left)
        except CallFailed as error:
            failed = error
        finally:
            used: int | None = None
            if reply is not None:
                used = reply.tokens or min(prompt_bound + len(reply.raw.encode()), reservation.tokens)
            elif failed is not None and failed.unprocessed:
                used = 0
            counted = reservation.settle(used)
            estimated = reply is None or reply.tokens is None
        talk.calls += 1
        talk.tokens += counted
        talk.estimated |= estimated and counted > 0
        self._log.keep(
            talk.brief,
            Exchange(
                request=request,
                response=reply.raw if reply is not None else (failed.text or str(failed) if failed else ""),
                outcome="answer" if failed is None else failed.kind,
                seconds=self._clock.monotonic() - started,
                tokens=counted,
                estimated=estimated,
                fallback=fallback,
            ),
            address=self._endpoint.address,
            model=self._model,
        )
        if reply is None:
            raise failed or CallFailed("connection", "the endpoint gave nothing")
        if fallback:
            talk.notes.append(fallback)
        return reply


def token_bound(request: dict[str, Any]) -> int:
    """Most tokens that a request can be: no tokenizer in use makes more tokens than there are bytes."""
    text = json.dumps(request, ensure_ascii=False)
    return len(text.encode("utf-8", "replace")) + MESSAGE_OVERHEAD * (len(request["messages"]) + 1)
