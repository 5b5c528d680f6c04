// Numbers as people write them: "1,200", "$1,200.50", "1.200,50 €", "12 %", "−3", "1.5e3", "6 × 10^23", "1 1/2", "2.5 million",
// "１２", "120万". Units and currencies are passed over; so is what only looks like a number: a digit in a word ("m2", "CO2"), an
// exponent, an ordinal ("2nd"), a time ("10:30"), a version ("1.2.3"). Private to the library and the program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tgd/data.hpp>

namespace tgd::detail {

/// What a mark means that can be read both ways, as in "1,200" and "1.200". Marks that cannot group digits ("1,5", "1.200,50") are
/// read as what they are.
enum class DecimalMark : std::uint8_t { point, comma };

/// The number that a text ends in, which is its result where it shows the working; where there is one in \boxed{…}, that. Whole
/// numbers that fit are integers.
std::optional<Data> last_number(std::string_view text, DecimalMark mark = DecimalMark::point);

/// All numbers in a text, in their order; not those that only point at something, such as [3].
std::vector<Data> all_numbers(std::string_view text, DecimalMark mark = DecimalMark::point);

/// For a text that is one number and, at most, its sign, its currency and its unit: the unit, perhaps empty. What only looks like
/// one, because a number would lose its zeros (007) or its plus (+49 …), is none.
std::optional<std::string> unit_of_amount(std::string_view text, DecimalMark mark = DecimalMark::point);

/// The number in digits with the given mark and nothing else, so that last_number() reads it back.
std::string number_text(const Data& number, DecimalMark mark = DecimalMark::point);

}  // namespace tgd::detail
