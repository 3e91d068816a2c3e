from email.message import EmailMessage

from ..conftest import Parse


def message(subject: str = "Lunch", body: str = "See you at noon.\n") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Ada <ada@example.com>"
    mail["To"] = "bob@example.com"
    mail["Date"] = "Mon, 06 May 2024 07:08:09 +0000"
    mail["Message-ID"] = f"<{len(subject)}-{subject[0]}@example.com>"
    mail["Subject"] = subject
    mail.set_content(body)
    return mail


def test_mail_subject_headers_and_text_part_are_read(parse: Parse) -> None:
    mail = message("Größe")
    mail.add_alternative("<p>html part</p>", subtype="html")
    mail.add_attachment(b"\0", maintype="application", subtype="pdf", filename="Plan für heute.pdf")
    (document,) = parse("a.eml", bytes(mail))
    assert document.title == "Größe"
    assert document.member == ""
    assert document.text == (
        "From: Ada <ada@example.com>\nTo: bob@example.com\nDate: Mon, 06 May 2024 07:08:09 +0000\n"
        "Subject: Größe\n\nSee you at noon.\n\nAttachments: Plan für heute.pdf\n"
    )
    assert document.metadata["from"] == "Ada <ada@example.com>"


def test_mail_with_html_only_goes_through_the_html_reader(parse: Parse) -> None:
    mail = message()
    mail.set_content("<h1>Big</h1><p>news</p><script>x</script>", subtype="html")
    (document,) = parse("a.eml", bytes(mail))
    assert document.text.endswith("Subject: Lunch\n\nBig\n\nnews\n")


def test_mail_malformed_headers_and_charset_are_survived(parse: Parse) -> None:
    raw = b"From: =?x?q?\xff@@<,;\nSubject: =?utf-8?b?////?=\n"
    raw += b"Content-Type: text/plain; charset=no\n\ncaf\xe9 ok\n"
    assert parse("a.eml", raw)[0].text.endswith("caf\xe9 ok\n")


def test_mbox_mails_are_members_named_by_message_id(parse: Parse) -> None:
    start = b"From ada@example.com Mon May  6 07:08:09 2024\n"
    mails = [message("one"), message("two", "text\n>From quoted\n"), message("one")]
    documents = parse("a.mbox", b"".join(start + bytes(mail) + b"\n" for mail in mails))
    assert [document.member for document in documents] == [
        "3-o@example.com",
        "3-t@example.com",
        "3",
    ]
    assert "\nFrom quoted" in documents[1].text
