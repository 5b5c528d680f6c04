#include "net/sse.hpp"

#include <algorithm>

namespace tgd::net {

void SseParser::feed(std::string_view bytes, const OnEvent& on_event) {
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      line_ += bytes;
      return;
    }
    after_cr_ = bytes[end] == '\r';
    if (line_.empty()) {
      take_line(bytes.substr(0, end), on_event);
    } else {
      line_ += bytes.substr(0, end);
      take_line(line_, on_event);
      line_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void SseParser::finish(const OnEvent& on_event) {
  if (!line_.empty()) take_line(line_, on_event);
  line_.clear();
  give_out(on_event);
}

void SseParser::take_line(std::string_view line, const OnEvent& on_event) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (first_line_ && line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
  first_line_ = false;
  if (line.empty()) return give_out(on_event);
  if (line.starts_with('{')) return take_bare(line, on_event);
  const std::size_t colon = std::min(line.find(':'), line.size());
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  take_field(line.substr(0, colon), value);
}

void SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (name == "error") {
    event_.name = name;
    event_.data = value;
    has_data_ = true;
  } else if (name == "event") {
    event_.name = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    event_.id = value;
  }
}

// JSON without a field's name, as some servers write an error into a stream, is an event of its own.
void SseParser::take_bare(std::string_view line, const OnEvent& on_event) {
  give_out(on_event);
  event_.data = line;
  has_data_ = true;
  give_out(on_event);
}

void SseParser::give_out(const OnEvent& on_event) {
  if (has_data_) on_event(event_);
  event_.name.clear();
  event_.data.clear();
  has_data_ = false;
}

}  // namespace tgd::net
