"""Sphinx's configuration of the course's site; `classroom site` puts it beside the pages' sources."""

project = "Explaining deep networks"
author = "the authors of the course"
html_title = project
extensions = ["myst_nb", "solutions.classroom.site.formulas"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing", "myst.header", "mystnb.unknown_mime_type"]
