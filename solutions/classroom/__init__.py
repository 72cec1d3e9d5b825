"""From chapter texts to graded feedback, on top of nbgrader.

chapter: reads a text notebook · reference: finds a function's source and what it needs · build: makes the student's
notebook · answers: makes answer sheets · prove: shows that wrong is rejected and right accepted · sandbox: records
untrusted code · judge: recording against answer sheet · grade: a whole class · report: what the class found hard ·
pages: feedback and formgrader's pages · wash: strangers' text as HTML that only shows · guard: formgrader runs its own scripts only.
"""
