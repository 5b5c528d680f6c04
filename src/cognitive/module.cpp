#include <tgd/cognitive/module.hpp>

#include <algorithm>
#include <map>
#include <ostream>
#include <set>
#include <string_view>
#include <typeinfo>
#include <unordered_set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tgd/error.hpp>

#include "core/json_reader.hpp"
#include "core/json_writer.hpp"
#include "core/text.hpp"

#if __has_include(<cxxabi.h>)
#include <cxxabi.h>
#endif

namespace tgd {

namespace {

using json = nlohmann::ordered_json;

std::string joined_name(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : fmt::format("{}.{}", prefix, name);
}

template <class Named>
auto without_names(const Named& named) {
  std::vector<typename Named::value_type::second_type> items;
  items.reserve(named.size());
  for (const auto& item : named) items.push_back(item.second);
  return items;
}

std::string readable_class_name(const char* name) {
#if __has_include(<cxxabi.h>)
  const std::unique_ptr<char, void (*)(void*)> demangled(abi::__cxa_demangle(name, nullptr, nullptr, nullptr), std::free);
  if (demangled) return demangled.get();
#endif
  return name;
}

/// `Sequential<tgd::Step>` of `(anonymous namespace)::Sequential<tgd::Step>`.
std::string without_namespaces(const std::string& name) {
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (name[i] == '>' || name[i] == ')') --depth;
    if (depth == 0 && name[i] == ':') begin = i + 1;
  }
  return name.substr(begin);
}

// ---- Loading ----

json saved(const Variable& variable) {
  return {{"data", variable.data().to_json().value()}, {"role", variable.role()}, {"requires_grad", variable.requires_grad()}};
}

/// New contents of one Variable.
struct Contents {
  Variable target;
  Data data;
  std::string role;
};

/// Throws Error that says why the saved contents do not fit the Variable.
Contents contents_for(const Variable& target, const json& saved) {
  const detail::JsonOrigin memory;
  const detail::JsonReader<json> entry(saved, memory);
  const auto value = entry.at("data");
  Contents contents{target, value.in_place([&] { return Data::from_json(value.json()); }), entry.at("role").text()};
  const Data& before = target.data();
  const Data& after = contents.data;
  if (before.is_batch() != after.is_batch() || before.size() != after.size() || before.is_text() != after.is_text()) {
    throw ValueError(fmt::format("the module holds {}, the state {}", before.description(), after.description()));
  }
  return contents;
}

std::string with_suggestion(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string_view nearest = detail::nearest(name, std::vector<std::string_view>(candidates.begin(), candidates.end()));
  return nearest.empty() ? fmt::format("\"{}\"", name) : fmt::format("\"{}\" (the module has \"{}\")", name, nearest);
}

void append_problems(std::string& text, std::string_view kind, const std::vector<std::string>& problems) {
  if (!problems.empty()) text += fmt::format("\n  {}: {}", kind, detail::join(problems, ", "));
}

/// Compares a state with the Variables of a module and keeps what there is to load, and all that is wrong.
class Loading {
 public:
  Loading(const NamedVariables& variables, const json& state) {
    std::map<std::string, const json*> members;
    for (const auto& member : state.items()) members.emplace(member.key(), &member.value());
    std::set<std::string> known;
    for (const auto& [name, variable] : variables) {
      known.insert(name);
      if (const auto member = members.find(name); member != members.end()) {
        take(name, variable, *member->second);
      } else {
        difference_.missing.push_back(name);
      }
    }
    for (const auto& member : state.items()) {
      if (!known.contains(member.key())) difference_.unexpected.push_back(member.key());
    }
  }

  const StateDifference& difference() const { return difference_; }

  void check(const std::string& type, bool strict) const {
    std::string problems;
    if (strict) {
      append_problems(problems, "missing", quoted_missing());
      append_problems(problems, "unexpected", quoted_unexpected());
    }
    append_problems(problems, "mismatched", mismatched_);
    if (!problems.empty()) throw ValueError(fmt::format("the state does not fit {}; nothing was changed{}", type, problems));
  }

  void commit() {
    for (Contents& contents : contents_) {
      contents.target.set_data(std::move(contents.data));
      contents.target.set_role(std::move(contents.role));
    }
  }

 private:
  void take(const std::string& name, const Variable& variable, const json& saved) {
    try {
      contents_.push_back(contents_for(variable, saved));
    } catch (const Error& error) {
      mismatched_.push_back(fmt::format("\"{}\": {}", name, error.what()));
    }
  }

  std::vector<std::string> quoted_missing() const {
    std::vector<std::string> names;
    for (const std::string& name : difference_.missing) names.push_back(fmt::format("\"{}\"", name));
    return names;
  }

  std::vector<std::string> quoted_unexpected() const {
    std::vector<std::string> names;
    for (const std::string& name : difference_.unexpected) names.push_back(with_suggestion(name, difference_.missing));
    return names;
  }

  std::vector<Contents> contents_;
  StateDifference difference_;
  std::vector<std::string> mismatched_;
};

}  // namespace

// ---- Contents ----

struct detail::ModuleContents {
  struct Entry {
    std::string name;
    Variable variable;
    bool persistent = true;
  };
  struct Child {
    std::string name;
    std::shared_ptr<Module> module;
  };

  std::vector<Entry> parameters = {};
  std::vector<Entry> buffers = {};
  std::vector<Child> children = {};
  bool training = true;

  static ModuleContents& of(const Module& module) { return *module.contents_; }
};

namespace {

using Contained = detail::ModuleContents;

void check_name(const Module& module, const std::string& name) {
  const auto fail = [&](const char* reason) {
    throw ValueError(fmt::format("{}: the name \"{}\" {}", module.type_name(), name, reason));
  };
  if (name.empty()) fail("is empty; give one");
  if (name.find('.') != std::string::npos) fail("has a dot; dots separate the names of children");
  const auto is_taken = [&](const auto& items) {
    return std::ranges::any_of(items, [&](const auto& item) { return item.name == name; });
  };
  const Contained& own = Contained::of(module);
  if (is_taken(own.parameters) || is_taken(own.buffers) || is_taken(own.children)) fail("is taken; choose another one");
}

bool reaches(const Module& from, const Module& to) {
  return &from == &to ||
         std::ranges::any_of(Contained::of(from).children, [&](const auto& child) { return reaches(*child.module, to); });
}

/// Depth first, each module once.
void collect_below(const Module& module, const std::string& prefix, Module::NamedModules& found) {
  for (const auto& child : Contained::of(module).children) {
    const bool is_known = std::ranges::any_of(found, [&](const auto& named) { return named.second == child.module.get(); });
    if (is_known) continue;
    const std::string name = joined_name(prefix, child.name);
    found.emplace_back(name, child.module.get());
    collect_below(*child.module, name, found);
  }
}

/// `select(contents, append)` calls append(entry) for what it wants of one module.
template <class Select>
NamedVariables named_variables(const Module& root, const Select& select) {
  NamedVariables variables;
  std::unordered_set<const void*> known;
  const auto visit = [&](const std::string& prefix, const Module& module) {
    select(Contained::of(module), [&](const Contained::Entry& entry) {
      if (known.insert(detail::impl_of(entry.variable).get()).second)
        variables.emplace_back(joined_name(prefix, entry.name), entry.variable);
    });
  };
  visit("", root);
  Module::NamedModules below;
  collect_below(root, "", below);
  for (const auto& [name, module] : below) visit(name, *module);
  return variables;
}

NamedVariables named_state(const Module& root) {
  return named_variables(root, [](const Contained& own, const auto& append) {
    std::ranges::for_each(own.parameters, append);
    for (const auto& buffer : own.buffers) {
      if (buffer.persistent) append(buffer);
    }
  });
}

void print(const Module& module, std::string& out, const std::string& indent) {
  out += module.type_name() + "(";
  const std::string inner = indent + "  ";
  const auto begin_line = [&](const std::string& name) { out += fmt::format("\n{}({}): ", inner, name); };
  const Contained& own = Contained::of(module);
  for (const auto* entries : {&own.parameters, &own.buffers}) {
    for (const auto& entry : *entries) {
      begin_line(entry.name);
      out += to_string(entry.variable);
    }
  }
  for (const auto& child : own.children) {
    begin_line(child.name);
    print(*child.module, out, inner);
  }
  const bool is_empty = own.parameters.empty() && own.buffers.empty() && own.children.empty();
  out += is_empty ? ")" : fmt::format("\n{})", indent);
}

}  // namespace

Module::Module() : contents_(std::make_unique<detail::ModuleContents>()) {}
Module::~Module() = default;

// ---- Registering ----

Parameter Module::register_parameter(std::string name, Parameter parameter) {
  check_name(*this, name);
  contents_->parameters.push_back({std::move(name), parameter});
  return parameter;
}

Variable Module::register_buffer(std::string name, Variable buffer, bool persistent) {
  check_name(*this, name);
  contents_->buffers.push_back({std::move(name), buffer, persistent});
  return buffer;
}

void detail::add_child(Module& parent, std::string name, std::shared_ptr<Module> child) {
  check_name(parent, name);
  if (!child) throw ValueError(fmt::format("{}: the child \"{}\" is a null pointer", parent.type_name(), name));
  if (reaches(*child, parent))
    throw ValueError(fmt::format("{}: the child \"{}\" contains its own parent", parent.type_name(), name));
  ModuleContents::of(parent).children.push_back({std::move(name), std::move(child)});
}

// ---- Visiting ----

NamedVariables Module::named_parameters() const {
  return named_variables(*this,
                         [](const Contained& own, const auto& append) { std::ranges::for_each(own.parameters, append); });
}

NamedVariables Module::named_buffers() const {
  return named_variables(*this, [](const Contained& own, const auto& append) { std::ranges::for_each(own.buffers, append); });
}

std::vector<Variable> Module::parameters() const { return without_names(named_parameters()); }
std::vector<Variable> Module::buffers() const { return without_names(named_buffers()); }

Module::NamedModules Module::named_children() {
  NamedModules named;
  for (const auto& child : contents_->children) named.emplace_back(child.name, child.module.get());
  return named;
}

Module::NamedModules Module::named_modules() {
  NamedModules named{{"", this}};
  collect_below(*this, "", named);
  return named;
}

std::vector<Module*> Module::children() { return without_names(named_children()); }
std::vector<Module*> Module::modules() { return without_names(named_modules()); }

Module& Module::apply(const std::function<void(Module&)>& fn) {
  std::unordered_set<const Module*> visited;
  const std::function<void(Module&)> visit = [&](Module& module) {
    if (!visited.insert(&module).second) return;
    for (const auto& child : module.contents_->children) visit(*child.module);
    fn(module);
  };
  visit(*this);
  return *this;
}

// ---- Changing ----

bool Module::is_training() const noexcept { return contents_->training; }

Module& Module::train(bool training) {
  for (Module* module : modules()) module->contents_->training = training;
  return *this;
}

Module& Module::requires_grad_(bool requires_grad) {
  for (Variable& parameter : parameters()) parameter.set_requires_grad(requires_grad);
  return *this;
}

void Module::clear_grad() {
  for (Variable& parameter : parameters()) parameter.clear_grad();
}

// ---- State ----

Json Module::state_dict() const {
  json state = json::object();
  for (const auto& [name, variable] : named_state(*this)) detail::append_member(state, name, saved(variable));
  return state;
}

StateDifference Module::load_state_dict(const Json& state, bool strict) {
  if (!state.value().is_object()) {
    throw ValueError(fmt::format("the state of {} has to be a JSON object as state_dict() returns it; got the type {}",
                                 type_name(), state.value().type_name()));
  }
  Loading loading(named_state(*this), state.value());
  loading.check(type_name(), strict);
  loading.commit();
  return loading.difference();
}

// ---- Printing ----

std::string Module::type_name() const { return without_namespaces(readable_class_name(typeid(*this).name())); }

std::string to_string(const Module& module) {
  std::string text;
  print(module, text, "");
  return text;
}

std::ostream& operator<<(std::ostream& out, const Module& module) { return out << to_string(module); }

}  // namespace tgd
