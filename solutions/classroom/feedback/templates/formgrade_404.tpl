{#- nbgrader's own names a file that it does not have. -#}
{%- extends 'base.tpl' -%}
{%- set base_url = resources.base_url -%}
{%- block title -%}{{ resources.notebook_id }}{%- endblock -%}
{%- block body -%}
<p>The graded notebook is not there any more: {{ resources.filename }}. Grade this submission once more.</p>
{%- endblock -%}
