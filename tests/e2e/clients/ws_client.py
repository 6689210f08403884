"""The package websockets before Resync. Prints what it saw as one JSON object.

    ws_client.py URL API_KEY
"""

import asyncio
import json
import sys

import websockets

url, key = sys.argv[1:3]
headers = {"Authorization": f"Bearer {key}"}


async def until_final(socket):
    events = []
    while True:
        events.append(json.loads(await asyncio.wait_for(socket.recv(), 30)))
        if events[-1].get("is_final") or events[-1]["type"] == "error":
            return events


async def main():
    seen = {}
    async with websockets.connect(url, additional_headers=headers) as socket:
        seen["ready"] = json.loads(await socket.recv())
        await socket.send("Why did FIN_GL_POST fail?")
        seen["events"] = await until_final(socket)
        await socket.send(json.dumps({"type": "heartbeat"}))
        seen["ack"] = json.loads(await socket.recv())
        # The library's own ping is answered, too.
        await asyncio.wait_for(await socket.ping(), 10)
        await socket.send(json.dumps({"type": "chat_message", "content": "how is the plan?", "stream": False}))
        seen["whole"] = await until_final(socket)

    # The line breaks in the middle of an answer, and a new one goes on where it stood.
    lost = await websockets.connect(url, additional_headers=headers)
    await lost.recv()
    await lost.send("Why did FIN_GL_POST fail?")
    start = json.loads(await lost.recv())
    lost.transport.abort()
    resumed = f"{url}?resume={start['stream_id']}&after={start['seq']}"
    async with websockets.connect(resumed, additional_headers=headers) as socket:
        await socket.recv()
        seen["resumed"] = await until_final(socket)
        seen["start"] = start

    try:
        async with websockets.connect(url) as socket:
            seen["stranger"] = "let in"
    except websockets.exceptions.InvalidStatus as refused:
        seen["stranger"] = refused.response.status_code
    print(json.dumps(seen))


asyncio.run(main())
