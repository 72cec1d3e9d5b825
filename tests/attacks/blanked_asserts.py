"""An input transformer and an AST transformer delete every assert and every call of `check`.

Must happen: there is nothing to delete that counts; every exercise counts as it is.
"""

CELL = """import ast
class Blank(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
shell = get_ipython()
shell.ast_transformers.append(Blank())
shell.input_transformers_post.append(lambda lines: [l for l in lines if 'check(' not in l])
"""
LOSES = "nothing"
