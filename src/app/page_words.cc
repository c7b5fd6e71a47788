#include "app/page_words.h"

namespace spillway::app {
namespace {

constexpr PageWords kEnglish = {
    .language = "en",
    .other_language = "ko",
    .other_name = "한국어",
    .months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
    .date = "{2} {1} {0}, {3} UTC",
    .user_label = "User id",
    .password_label = "Password",
    .sending = "Sending …",
    .refreshes = "This page renews itself.",
    .day_letter = "d",
    .notice_name_needed = "Please write a name of at most 128 letters.",
    .notice_wrong_password = "The user id or the password is wrong.",
    .notice_too_many = "Too many attempts. Please wait {} seconds before the next.",
    .notice_busy =
        "Very many people are here just now, and this try was not taken. Please try again in a moment "
        "({} s). Nothing is lost.",
    .notice_unknown = "We cannot tell whether this reached us. Please press again: it never counts twice.",
    .notice_from_elsewhere =
        "This was sent from another site, so it was not done. If it was you, press the "
        "button here.",
    .notice_not_a_form = "The form did not arrive as it should. Please send it again.",
};

constexpr PageWords kKorean = {
    .language = "ko",
    .other_language = "en",
    .other_name = "English",
    .months = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"},
    .date = "{0}년 {1}월 {2}일 {3} (UTC)",
    .user_label = "아이디",
    .password_label = "비밀번호",
    .sending = "보내는 중 …",
    .refreshes = "이 페이지는 저절로 새로 고쳐집니다.",
    .day_letter = "일",
    .notice_name_needed = "이름을 128자 이내로 적어 주세요.",
    .notice_wrong_password = "아이디 또는 비밀번호가 맞지 않습니다.",
    .notice_too_many = "시도가 너무 많았습니다. {}초 뒤에 다시 시도해 주세요.",
    .notice_busy =
        "지금 많은 분이 몰려 이번 시도는 접수되지 않았습니다. 잠시({}초) 뒤에 다시 눌러 주세요. 잃은 것은 "
        "없습니다.",
    .notice_unknown = "접수되었는지 확인하지 못했습니다. 다시 눌러 주세요. 두 번 접수되지 않습니다.",
    .notice_from_elsewhere =
        "다른 사이트에서 보낸 요청이라 처리하지 않았습니다. 직접 보내신 것이라면 여기에서 버튼을 "
        "눌러 주세요.",
    .notice_not_a_form = "양식이 제대로 도착하지 않았습니다. 다시 보내 주세요.",
};

}  // namespace

const PageWords& page_words(Language language) { return language == Language::kKorean ? kKorean : kEnglish; }

}  // namespace spillway::app
