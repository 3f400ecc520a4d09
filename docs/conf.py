"""How Sphinx builds the site: `make docs` runs it offline, and any warning is an error."""

import importlib.util
import sys
from pathlib import Path

from sphinx.ext.autodoc.mock import mock

import fastnn
import fastnn.sklearn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "site"))  # the site's own extension

with mock([] if importlib.util.find_spec("torch") else ["torch"]):  # the reference needs the names, not torch itself
    import fastnn.torch

project = "fastnn"
author = "fastnn maintainers"
copyright = "fastnn maintainers, MIT licence"
release = version = fastnn.__version__

extensions = [
    "pictures",
    "plain",
    "repository",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["gallery", "learn", "site"]  # scripts, which sphinx-gallery turns into pages below auto/
suppress_warnings = ["config.cache", "autosummary.import_cycle"]

# Pages are read on the site and as files of the repository, whose anchors are those of GitHub.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4

# The reference: what a page names, and nothing that it does not name.
toc_object_entries_show_parents = "hide"
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # docstrings say what an argument may be
autosummary_generate = False
nitpick_ignore_regex = [("py:obj", r"\w+")]  # attributes of objects, which no page has alone
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

FOLDERS = [name for name in ("gallery", "learn") if (HERE / name).is_dir()]
sphinx_gallery_conf = {
    "examples_dirs": [str(HERE / name) for name in FOLDERS],
    "gallery_dirs": [f"auto/{name}" for name in FOLDERS],
    "filename_pattern": r"\.py$",  # every example runs
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "plot_gallery": True,
    "write_computation_times": False,  # a page whose table comes from the network
}

html_theme = "pydata_sphinx_theme"
html_title = "fastnn"
MATHJAX = importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations[0]
html_static_path = ["_static", f"{MATHJAX}/static"]  # formulas are set without the network
mathjax_path = "mathjax/tex-chtml.js"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_favicon = "_static/mark.svg"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "fastnn", "image_light": "_static/mark.svg", "image_dark": "_static/mark.svg"},
    "show_toc_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 9,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
    "show_prev_next": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
