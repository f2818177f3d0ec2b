"""Replies that more than one file of tests reads."""


def error_of(code, text="no"):
    return f'{{"error":{code},"error_text":"{text}"}}'.encode()
