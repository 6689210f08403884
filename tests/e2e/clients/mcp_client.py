"""The MCP SDK for Python before Resync. Prints what it saw as one JSON object.

    mcp_client.py http URL API_KEY auto|legacy JOB_ID
    mcp_client.py stdio RESYNC URL API_KEY auto|legacy JOB_ID
    mcp_client.py outcome URL API_KEY PROPOSAL_ID
"""

import asyncio
import json
import sys

from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


def told(result):
    return {
        "error": bool(result.is_error),
        "text": "\n".join(part.text for part in result.content if part.type == "text"),
        "value": result.structured_content,
    }


async def over_http(url, key):
    return streamable_http_client(url, http_client=create_mcp_http_client(headers={"Authorization": f"Bearer {key}"}))


async def look(server, mode, job):
    seen = {}
    async with Client(server, mode=mode) as client:
        seen["server"] = client.server_info.name if client.server_info else None
        seen["protocol"] = client.protocol_version
        tools = await client.list_tools()
        seen["tools"] = [tool.name for tool in tools.tools]
        seen["read_only"] = [tool.name for tool in tools.tools if tool.annotations and tool.annotations.read_only_hint]
        calls = {
            "plan_summary": {},
            "job_list": {"status": ["ABEND"], "limit": 3},
            "job_status": {"job": "FIN_EOD.FIN_GL_POST"},
            "job_log": {"job": job, "lines": 20},
            "job_diagnose": {"job": job},
            "job_dependencies": {"job": job, "direction": "both"},
            "impact": {"job": job},
            "history_trend": {"job": job},
            "workstation_status": {},
            "search_knowledge": {"query": "deadlock"},
            "ask": {"question": "Why did FIN_GL_POST fail?"},
            "preview_action": {"action": "rerun", "job": job, "reason": "asked by a program"},
        }
        for name, arguments in calls.items():
            if name in seen["tools"]:
                seen[name] = told(await client.call_tool(name, arguments))
        seen["wrong"] = told(await client.call_tool("job_status", {"job": "NO_SUCH_JOB_HERE"}))
        seen["odd"] = told(await client.call_tool("job_log", {"job": job, "lines": 0}))
        proposal = ((seen.get("preview_action") or {}).get("value") or {}).get("proposal_id")
        if proposal:
            seen["execute_action"] = told(await client.call_tool("execute_action", {"proposal_id": proposal}))
        try:
            await client.call_tool("confirm_action", {})
            seen["unlisted"] = "called"
        except MCPError as error:
            seen["unlisted"] = error.error.code
    return seen


async def outcome(server, proposal):
    async with Client(server) as client:
        return told(await client.call_tool("execute_action", {"proposal_id": proposal}))


async def main():
    how, *rest = sys.argv[1:]
    if how == "http":
        url, key, mode, job = rest
        return await look(await over_http(url, key), mode, job)
    if how == "outcome":
        url, key, proposal = rest
        return await outcome(await over_http(url, key), proposal)
    command, url, key, mode, job = rest
    server = StdioServerParameters(command=command, args=["mcp", "--url", url], env={"RESYNC_API_KEY": key})
    return await look(server, mode, job)


print(json.dumps(asyncio.run(main())))
