// Results as sections of sentences, tables and plots, and those sections as text, Markdown and one HTML page.
#pragma once

#include <string>
#include <vector>

#include "bench/report/model.hpp"
#include "bench/table.hpp"

namespace tw::report {

/// A part of a report about one thing, under one set of conditions.
struct Section {
  std::string title;
  std::string verdict;     ///< may be empty
  std::string conditions;  ///< one line
  TextTable table;
  std::vector<std::string> notes;  ///< what the columns mean
  std::vector<std::string> plots;  ///< SVG
};

/// Sections without plots are cheaper; only HTML needs them.
enum class Plots : std::uint8_t { without, with };
std::vector<Section> sections_of(const Results& results, Plots plots);

std::string as_text(const std::vector<Section>& sections);
std::string as_markdown(const std::vector<Section>& sections);
/// Self-contained: style and plots inline, nothing is fetched.
std::string as_html(const std::vector<Section>& sections);

}  // namespace tw::report
