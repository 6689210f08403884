"""OpenAI's own Python package before Resync. Prints what it saw as one JSON object.

    openai_client.py BASE_URL API_KEY
"""

import json
import sys

import openai

base_url, key = sys.argv[1:3]
client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)
question = {"role": "user", "content": "Why did FIN_GL_POST fail?"}
seen = {"models": sorted(model.id for model in client.models.list())}
seen["model"] = client.models.retrieve("resync").id

whole = client.chat.completions.create(model="resync-deterministic", messages=[question], temperature=0.3, user="x")
seen["whole"] = {
    "text": whole.choices[0].message.content,
    "finish": whole.choices[0].finish_reason,
    "tokens": whole.usage.total_tokens,
    "annotations": [one.url_citation.url for one in whole.choices[0].message.annotations],
}

chunks = list(
    client.chat.completions.create(
        model="resync", messages=[question], stream=True, stream_options={"include_usage": True}
    )
)
texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
seen["streamed"] = {
    "text": "".join(texts),
    "parts": sum(1 for text in texts if text),
    "role": chunks[0].choices[0].delta.role,
    "finish": [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1],
    "usage_last": chunks[-1].usage is not None and not chunks[-1].choices,
    "one_id": len({chunk.id for chunk in chunks}) == 1,
}

# The transcript names the conversation; without its link the question before gives the context.
answered = {"role": "assistant", "content": whole.choices[0].message.content}
bare = {"role": "assistant", "content": "It ended in ABEND."}
log = {"role": "user", "content": [{"type": "text", "text": "and its log?"}]}
for name, before in (("followed", answered), ("guessed", bare)):
    messages = [{"role": "system", "content": "Be a pirate."}, question, before, log]
    reply = client.chat.completions.create(model="resync-deterministic", messages=messages)
    seen[name] = reply.choices[0].message.content


def refused(call):
    try:
        call()
    except openai.APIStatusError as error:
        body = error.body or {}
        return {"kind": type(error).__name__, "status": error.status_code, "code": body.get("code"), "param": body.get("param")}
    return None


create = client.chat.completions.create
tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
stranger = openai.OpenAI(base_url=base_url, api_key="not-a-key", max_retries=0)
seen["refused"] = {
    "key": refused(lambda: stranger.models.list()),
    "model": refused(lambda: create(model="gpt-4o", messages=[question])),
    "tools": refused(lambda: create(model="resync", messages=[question], tools=[tool])),
    "nothing": refused(lambda: create(model="resync", messages=[{"role": "user", "content": " "}])),
}
print(json.dumps(seen))
