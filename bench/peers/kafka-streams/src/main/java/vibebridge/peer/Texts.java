package vibebridge.peer;

import com.google.i18n.phonenumbers.NumberParseException;
import com.google.i18n.phonenumbers.PhoneNumberUtil;
import java.util.Locale;
import java.util.Set;

/** Rules for single texts. */
final class Texts {
    private static final PhoneNumberUtil PHONES = PhoneNumberUtil.getInstance();
    private static final Set<String> CURRENCIES = Set.of("USD", "EUR", "RUB", "GBP", "CNY");

    private Texts() {}

    /** E.164 with default region RU; null for what is not a possible number. */
    static String phone(String text) {
        try {
            var number = PHONES.parse(text, "RU");
            return PHONES.isPossibleNumber(number) ? PHONES.format(number, PhoneNumberUtil.PhoneNumberFormat.E164) : null;
        } catch (NumberParseException e) {
            return null;
        }
    }

    /** Trims a name and makes every run of white space inside it one space. */
    static String collapse(String name) {
        StringBuilder out = new StringBuilder(name.length());
        boolean gap = false;
        for (int i = 0; i < name.length(); i++) { // white space is never a surrogate
            char c = name.charAt(i);
            if (isSpace(c)) {
                gap = true;
                continue;
            }
            if (gap && out.length() > 0) {
                out.append(' ');
            }
            gap = false;
            out.append(c);
        }
        return out.toString();
    }

    /** Unicode's property White_Space. */
    private static boolean isSpace(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r') || c == '\u0085' || Character.isSpaceChar(c);
    }

    /** One of the five currencies of the contract, or "". */
    static String currency(String legacy) {
        String code = legacy.toUpperCase(Locale.ROOT);
        return CURRENCIES.contains(code) ? code : "";
    }

    static String firstOf(String... values) {
        for (String v : values) {
            if (!v.isEmpty()) {
                return v;
            }
        }
        return "";
    }
}
