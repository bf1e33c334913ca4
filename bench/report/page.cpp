#include "bench/report/page.hpp"

#include "bench/report/svg.hpp"

namespace tw::report {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --text: #1b1f24; --soft: #5b6470; --rule: #d8dde3; --page: #ffffff; --panel: #f6f8fa;
        --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ed; --soft: #9aa4b0; --rule: #3a424c; --page: #14171b; --panel: #1c2127; --accent: #56b4e9; }
}
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--text);
       background: var(--page); max-width: 1200px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 40px 0 4px; }
.verdict { font-size: 17px; background: var(--panel); border-left: 4px solid var(--accent); padding: 12px 16px;
           margin: 12px 0; }
.soft { color: var(--soft); font-size: 13px; margin: 6px 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 12px 0; width: 100%; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; color: var(--soft); }
th.words, td.words { text-align: left; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 24px 32px;
         margin: 20px 0; }
figure { margin: 0; }
svg { max-width: 100%; height: auto; font: 13px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
svg text { fill: var(--text); }
svg .title { font-size: 15px; font-weight: 600; }
svg .tick { fill: var(--soft); font-size: 12px; }
svg .legend, svg .value { font-size: 12px; }
svg .grid { stroke: var(--rule); }
svg .mark { stroke: var(--text); stroke-dasharray: 5 4; }
)";

std::string html_table(const TextTable& table) {
  std::string html = "<div class=\"scroll\"><table>\n";
  const auto row = [&](const std::vector<std::string>& cells, const char* element) {
    html += "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      html.append("<").append(element).append(table.numeric(i) ? ">" : " class=\"words\">");
      html.append(escape(cells[i])).append("</").append(element).append(">");
    }
    html += "</tr>\n";
  };
  row(table.header(), "th");
  for (const auto& cells : table.rows()) row(cells, "td");
  return html + "</table></div>\n";
}

std::string html_section(const Section& section) {
  std::string html = "<h2>" + escape(section.title) + "</h2>\n";
  if (!section.verdict.empty()) html += "<p class=\"verdict\">" + escape(section.verdict) + "</p>\n";
  html += "<p class=\"soft\">" + escape(section.conditions) + "</p>\n" + html_table(section.table);
  for (const std::string& note : section.notes) html += "<p class=\"soft\">" + escape(note) + "</p>\n";
  html += "<div class=\"plots\">\n";
  for (const std::string& plot : section.plots) html += "<figure>" + plot + "</figure>\n";
  return html + "</div>\n";
}

}  // namespace

std::string as_text(const std::vector<Section>& sections) {
  std::string text;
  for (const Section& section : sections) {
    text.append(text.empty() ? "" : "\n").append(section.title).append("\n\n").append(section.table.aligned("  "));
    if (!section.verdict.empty()) text.append("\n").append(section.verdict).append("\n");
  }
  return text;
}

std::string as_markdown(const std::vector<Section>& sections) {
  std::string text = "# Tightwire report\n";
  for (const Section& section : sections) {
    text.append("\n## ").append(section.title).append("\n\n");
    if (!section.verdict.empty()) text.append("**").append(section.verdict).append("**\n\n");
    text.append(section.conditions).append("\n\n").append(section.table.markdown());
    for (const std::string& note : section.notes) text.append("\n").append(note).append("\n");
  }
  return text;
}

std::string as_html(const std::vector<Section>& sections) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Tightwire report</title>\n";
  html.append("<style>").append(kStyle).append("</style>\n</head>\n<body>\n<h1>Tightwire report</h1>\n");
  for (const Section& section : sections) html += html_section(section);
  return html + "</body>\n</html>\n";
}

}  // namespace tw::report
