import pickle
from datetime import datetime

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from raylm.core.errors import RequestError, WeightsError
from raylm.data.chat_template import ChatTemplate
from raylm.models.source import open_model

CHATML = (
    "{% for message in messages %}\n"
    "    {% if loop.first and message.role != 'system' %}\n"
    "{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}\n"
    "    {%- endif %}\n"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content | trim + '<|im_end|>\\n' -}}\n"
    "{% endfor %}\n"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TOOLS = (
    "{%- if tools %}{{ tools | tojson }}{{ tools[0] | tojson(indent=2) }}{%- endif %}"
    "{%- for m in messages %}{%- if m.role == 'skip' %}{%- continue %}{%- endif %}"
    "[{{ m.role }}]{% generation %}{{ m.content }}{% endgeneration %}{%- endfor %}"
    "{%- set ns = namespace(last='') %}{%- for m in messages %}{%- set ns.last = m.role %}"
    "{%- endfor %}{{ ns.last }}{{ thinking is defined and thinking }}"
)
CHATS = [
    [{"role": "user", "content": "Hello <b>& 'bye'</b>"}],
    [
        {"role": "system", "content": "  Be brief.  "},
        {"role": "user", "content": "日本語 🙂"},
        {"role": "skip", "content": "unseen"},
        {"role": "assistant", "content": "line one\n\nline two\n"},
    ],
]
SCHEMAS = [{"type": "function", "function": {"name": "f", "description": "a < b & 'ü'"}}]


@pytest.mark.parametrize("add_generation_prompt", [True, False])
@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize("source", [CHATML, TOOLS])
def test_text_equals_transformers(source, chat, add_generation_prompt):
    ours = ChatTemplate(source).render(
        chat, add_generation_prompt=add_generation_prompt, tools=SCHEMAS, thinking=True
    )
    (theirs,), _ = render_jinja_template(
        [chat],
        chat_template=source,
        tools=SCHEMAS,
        add_generation_prompt=add_generation_prompt,
        thinking=True,
    )
    assert ours == theirs


def test_smollm2s_own_template():
    template = open_model("smollm2").chat_template
    (theirs,), _ = render_jinja_template(
        [CHATS[0]], chat_template=template.source, add_generation_prompt=True
    )
    text = template.render(CHATS[0])
    assert text == theirs
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert text.endswith("<|im_start|>assistant\n")


def test_special_tokens_are_variables():
    template = ChatTemplate("{{ bos_token }}{{ messages[0].content }}", {"bos_token": "<s>"})
    assert template.render([{"role": "user", "content": "hi"}]) == "<s>hi"


def test_the_date_can_be_asked_for():
    year = ChatTemplate("{{ strftime_now('%Y') }}").render([])
    assert abs(int(year) - datetime.now().year) <= 1


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ raise_exception('only user and assistant roles') }}", "only user and assistant roles"),
        ("{{ messages[0]['content'] + 1 }}", "can only concatenate str"),
        ("{{ messages[3].role }}", "has no element 3"),
        ("{{ messages.append(1) }}", "attribute 'append' of 'list' object is unsafe"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% for i in range(10**9) %}{% endfor %}", "Range too big"),
    ],
)
def test_a_refusal_is_a_request_error(source, reason):
    with pytest.raises(RequestError) as caught:
        ChatTemplate(source).render([{"role": "user", "content": "hi"}])
    assert reason in str(caught.value)
    assert caught.value.param == "messages"


def test_a_template_that_is_no_jinja_is_a_weights_error():
    with pytest.raises(WeightsError, match="not valid jinja"):
        ChatTemplate("{% for m in messages %}")


def test_a_pickled_template_is_the_same():
    template = ChatTemplate(CHATML, {"bos_token": "<s>"})
    assert pickle.loads(pickle.dumps(template)).render(CHATS[0]) == template.render(CHATS[0])
