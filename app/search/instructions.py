"""Tasks by name, for models that take an instruction with the query.

The wording is ours, one line each as Qwen3-Embedding was trained with: what is given, and what to
retrieve. English works for every language of the documents; the Chinese ones are for those who
want the whole prompt in one language.
"""

PRESETS = {
    "web": "Given a web search query, retrieve passages that answer it",
    "code": "Given a question about software, retrieve the code or documentation that answers it",
    "qa": "Given a question, retrieve the passages that contain its answer",
    "duplicates": "Given a text, retrieve texts that say the same in other words",
    "web-zh": "给定一个网页搜索查询，检索能够回答该查询的段落",
    "code-zh": "给定一个关于软件的问题，检索能够回答它的代码或文档",
    "qa-zh": "给定一个问题，检索包含其答案的段落",
    "duplicates-zh": "给定一段文本，检索用不同措辞表达相同意思的文本",
}


def instruction_of(given: str | None) -> str | None:
    """The instruction that was meant: a preset by its name, anything else as it stands."""
    return None if given is None else PRESETS.get(given.strip().casefold(), given)
