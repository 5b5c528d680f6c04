// The graph as a drawing.
#include <map>
#include <vector>

#include <fmt/format.h>

#include <tgd/autograd.hpp>

#include "autograd/graph.hpp"
#include "core/text.hpp"

namespace tgd::autograd {

namespace {

struct Box {
  const Node* node;
  std::string label;
  bool is_leaf;
};

struct Drawing {
  std::vector<Box> boxes;
  std::vector<std::pair<std::size_t, std::size_t>> arrows;  // from producer to consumer
};

std::string shown(const Variable& variable) {
  if (!variable.ready()) return "(on its way)";
  try {
    const Data& data = variable.data();
    return data.is_batch() ? data.description() : tgd::detail::shorten(data.item_text());
  } catch (const std::exception&) {
    return "(failed)";
  }
}

std::string leaf_label(const Variable& leaf) {
  std::string label = fmt::format("{}\n{}", leaf.role(), shown(leaf));
  for (const Variable& gradient : leaf.grad()) label += fmt::format("\ngrad: {}", shown(gradient));
  return label;
}

std::string label_of(const Node& node) {
  const auto* leaf = dynamic_cast<const AccumulateGrad*>(&node);
  return leaf != nullptr ? leaf_label(leaf->variable())
                         : fmt::format("{}\n{}", node.name(), tgd::detail::shorten(node.output_role(0)));
}

Drawing walk(const Variable& root) {
  Drawing drawing;
  std::map<const Node*, std::size_t> index;
  const auto enter = [&](const Node& node) {
    const auto [place, is_new] = index.try_emplace(&node, drawing.boxes.size());
    if (is_new) drawing.boxes.push_back({&node, label_of(node), node.next_functions().empty()});
    return place->second;
  };
  const Edge edge = tgd::detail::gradient_edge(root);
  if (!edge) return {{{nullptr, fmt::format("{}\n{}", root.role(), shown(root)), true}}, {}};
  enter(*edge.function);
  for (std::size_t i = 0; i < drawing.boxes.size(); ++i) {
    for (const Edge& next : drawing.boxes[i].node->next_functions()) {
      if (next) drawing.arrows.emplace_back(enter(*next.function), i);
    }
  }
  if (!drawing.boxes[0].is_leaf) drawing.boxes[0].label += "\n" + shown(root);
  return drawing;
}

std::string replaced(std::string text, char from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, 1, to);
  return text;
}

std::string dot_text(const std::string& label) {
  return replaced(replaced(replaced(label, '\\', "\\\\"), '"', "\\\""), '\n', "\\n");
}

std::string mermaid_text(const std::string& label) {
  return replaced(replaced(replaced(replaced(replaced(label, '#', "#35;"), '"', "#quot;"), '<', "#lt;"), '>', "#gt;"), '\n',
                  "<br>");
}

}  // namespace

std::string to_dot(const Variable& root) {
  const Drawing drawing = walk(root);
  std::string text = "digraph tgd {\n  rankdir=LR;\n";
  for (std::size_t i = 0; i < drawing.boxes.size(); ++i) {
    const Box& box = drawing.boxes[i];
    text += fmt::format("  n{} [label=\"{}\", shape={}];\n", i, dot_text(box.label), box.is_leaf ? "box" : "ellipse");
  }
  for (const auto& [from, to] : drawing.arrows) text += fmt::format("  n{} -> n{};\n", from, to);
  return text + "}\n";
}

std::string to_mermaid(const Variable& root) {
  const Drawing drawing = walk(root);
  std::string text = "graph LR\n";
  for (std::size_t i = 0; i < drawing.boxes.size(); ++i) {
    const Box& box = drawing.boxes[i];
    text += fmt::format("  n{}{}\"{}\"{}\n", i, box.is_leaf ? "[" : "(", mermaid_text(box.label), box.is_leaf ? "]" : ")");
  }
  for (const auto& [from, to] : drawing.arrows) text += fmt::format("  n{} --> n{}\n", from, to);
  return text;
}

}  // namespace tgd::autograd
