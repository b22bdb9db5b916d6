"""Grade submitted notebooks: `python -m attnoise.grading --help`.

An examiner and a student's code never share a process. The submission runs in a sandbox (`zygote`,
`nest`, `worker`); the examiner stays outside (`remote`, `examiner`) and runs the chapter's checks
on proxies. Between them goes plain data in frames (`wire`), and nothing is unpickled.
"""
