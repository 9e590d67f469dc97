"""An A2A agent that is a plain HTTP server: Envoy, at its side, does TLS, identity and policy."""

import os
import re
import signal
import sys

import httpx
import uvicorn
from a2a.client import ClientConfig, create_client
from a2a.helpers import get_stream_response_text, new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.server.routes import DefaultServerCallContextBuilder, create_jsonrpc_routes
from a2a.server.routes.common import StarletteUser
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Role, SendMessageRequest
from starlette.applications import Starlette
from starlette.authentication import SimpleUser
from starlette.responses import JSONResponse
from starlette.routing import Route

HOST, PORT = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
PASSED_ON = ("traceparent", "tracestate")  # headers of a call that go on with the calls made for it: one trace
SKILL = AgentSkill(id="research", name="Research", description="Any text; or: ask <agent> <text>", tags=["research"])


class Caller(DefaultServerCallContextBuilder):
    """Who calls, as Envoy verified it. The task store keeps the tasks of different users apart."""

    def build_user(self, request):
        certificate = request.headers.get("x-forwarded-client-cert", "")
        verified = re.fullmatch(r"By=[^;]+;Hash=[^;]+;URI=(spiffe://[^;,]+)", certificate)
        return StarletteUser(SimpleUser(verified[1])) if verified else super().build_user(request)


class Researcher(AgentExecutor):
    async def execute(self, context, event_queue):
        task = new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        text, call = context.get_user_input(), context.call_context
        answer = f"{call.user.user_name or 'somebody unverified'} wants to know: {text}"
        if asked := re.fullmatch(r"ask ([a-z0-9-]+) (.+)", text, re.DOTALL):
            headers = call.state["headers"]
            passed_on = {name: headers[name] for name in PASSED_ON if name in headers}
            passed_on["x-mesh-hops"] = str(int(headers.get("x-mesh-hops", "0")) + 1)  # the policy ends chains that go on and on
            answer += f"\n{asked[1]} answers: {await ask(asked[1], asked[2], passed_on)}"
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.add_artifact([new_text_part(answer)], name="research")
        await updater.complete()

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


async def ask(agent, text, headers):
    """Calls another agent. Its name leads to the local Envoy, which finds the agent and proves to it who asks."""
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        client = await create_client(f"http://{agent}.mesh", ClientConfig(streaming=False, httpx_client=http))
        request = SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))
        return "\n".join([get_stream_response_text(event) async for event in client.send_message(request)])


def card(address):
    return AgentCard(
        name="researcher",
        description="Repeats a question with the identity of who asked, and passes it on when told to.",
        version="1.0.0",
        supported_interfaces=[AgentInterface(url=address, protocol_binding="JSONRPC", protocol_version="1.0")],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[SKILL],
    )


async def serve_card(request):
    """The card names the address that it was asked at: one of the mesh's names, which lead through Envoy."""
    return JSONResponse(agent_card_to_dict(card(f"http://{request.headers['host']}/")))


handler = DefaultRequestHandler(Researcher(), InMemoryTaskStore(), card(f"http://{HOST}:{PORT}/"))
routes = [Route("/.well-known/agent-card.json", serve_card), *create_jsonrpc_routes(handler, "/", Caller())]

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again when open requests are answered
    uvicorn.run(Starlette(routes=routes), host=HOST, port=PORT, timeout_graceful_shutdown=10)
