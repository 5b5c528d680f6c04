// SseParser: server-sent events from bytes that arrive in pieces of any size.
// Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tgd::net {

struct SseEvent {
  std::string name = {};  ///< of the field "event", empty when there was none
  std::string data = {};  ///< its lines joined by newlines
  std::string id = {};    ///< the last that was given, by this event or an earlier one
};

class SseParser {
 public:
  using OnEvent = std::function<void(const SseEvent&)>;

  /// Lines may end with CR, LF or CRLF; a byte order mark at the beginning is skipped. Comments, unknown fields and events
  /// without data are left out. Beyond the format: a field "error" is an event of that name with its value as data, and a line of
  /// bare JSON one without a name.
  void feed(std::string_view bytes, const OnEvent& on_event);
  /// At the end of the stream: gives out the last event also when no blank line follows it.
  void finish(const OnEvent& on_event);

 private:
  void take_line(std::string_view line, const OnEvent& on_event);
  void take_field(std::string_view name, std::string_view value);
  void take_bare(std::string_view line, const OnEvent& on_event);
  void give_out(const OnEvent& on_event);

  std::string line_;       // the beginning of a line whose end has not arrived
  bool after_cr_ = false;  // a newline that comes now belongs to the line before
  bool first_line_ = true;
  bool has_data_ = false;
  SseEvent event_;
};

}  // namespace tgd::net
