#include "app/event_page_words.h"

namespace spillway::app {
namespace {

constexpr EventPageWords kEnglish = {
    .places = "Places",
    .all_taken = "all taken",
    .opens = "Opens",
    .closes = "Closes",
    .opened = "Opened",
    .closed = "Closed",

    .signed_in_as = "You are",
    .sign_out = "Sign out",
    .name_label = "Your name here",
    .name_hint_open = "Any name; use the same one to come back to your answer.",
    .name_hint_suggested = "We thought of one. Keep it, or choose your own.",
    .take_part = "Take part",
    .sign_in = "Sign in and be ready",
    .offline = "No connection. Trying again; your request is safe.",

    .open_title = "Open now",
    .open_text =
        "Press once. You get an answer at once, and your place in the line is kept, in the order in which "
        "people came.",
    .taken_title = "All places are taken",
    .taken_text = "You can still take part, and you will be told. The organisers may add places.",
    .soon_title = "Not open yet",
    .soon_text = "It opens on {}.",
    .soon_signed_in = "You are ready. There is no need to hurry or to reload: the button wakes up by itself.",
    .soon_reload = "This page renews itself when it opens.",
    .closed_title = "Closed",
    .closed_text = "It closed on {}. Nobody can take part any more.",

    .queued_title = "You are in line",
    .queued_position = "Your place in the line",
    .queued_text = "Your request is safely kept and will be decided in its turn.",
    .queued_next = "Nothing to do: the answer appears here. You may close this page and come back later.",
    .processing_title = "It is your turn",
    .processing_text = "Your request is being decided right now.",
    .succeeded_title = "You have a place",
    .succeeded_text = "It is yours, and nobody can take it away.",
    .succeeded_next = "Keep the number below: it is your proof.",
    .rejected_title = "No place this time",
    .rejected_capacity_text = "The places went to people who came before you.",
    .rejected_closed_text = "It had closed before it was your turn.",
    .rejected_next = "There is nothing more to do. Thank you for waiting.",
    .failed_title = "Something went wrong on our side",
    .failed_text = "Your request could not be decided. It was not your fault, and it is not forgotten.",
    .failed_next = "Tell the organisers the number of your request: they can see what happened.",
    .failed_again_text = "Your request did not get into the line. Please ask once more.",
    .request_id = "Number of your request",
    .asked_at = "Asked",
    .answered_at = "Answered",

    .oidc_title = "Sign-in is elsewhere",
    .oidc_text =
        "People sign in at another place here, and this page cannot take you there. With an access token "
        "from it, an app asks for you: POST /events/{}/participations with Authorization: Bearer.",
    .oidc_issuer = "Tokens come from",
    .nobody_title = "Nobody can sign in here",
    .nobody_text = "This server has no sign-in for people. Ask the organisers how to take part.",

    .unreadable_title = "One moment, please",
    .missing_title = "There is no such event",
    .missing_text = "Please check the address: every letter counts.",
};

constexpr EventPageWords kKorean = {
    .places = "자리",
    .all_taken = "모두 찼음",
    .opens = "시작",
    .closes = "마감",
    .opened = "시작",
    .closed = "마감",

    .signed_in_as = "참가자",
    .sign_out = "로그아웃",
    .name_label = "사용할 이름",
    .name_hint_open = "아무 이름이나 괜찮습니다. 결과를 다시 보려면 같은 이름을 쓰세요.",
    .name_hint_suggested = "이름을 하나 지어 두었습니다. 그대로 쓰거나 바꾸셔도 됩니다.",
    .take_part = "참가하기",
    .sign_in = "미리 로그인하기",
    .offline = "연결이 끊겼습니다. 다시 연결하고 있으며, 요청은 안전합니다.",

    .open_title = "지금 참가할 수 있습니다",
    .open_text = "한 번만 누르세요. 바로 접수되고, 온 순서대로 차례가 정해집니다.",
    .taken_title = "자리가 모두 찼습니다",
    .taken_text = "그래도 신청할 수 있고, 결과를 알려 드립니다. 자리가 더 열릴 수도 있습니다.",
    .soon_title = "아직 시작 전입니다",
    .soon_text = "{}에 시작합니다.",
    .soon_signed_in =
        "준비가 끝났습니다. 서두르거나 새로 고칠 필요가 없습니다. 시작되면 버튼이 저절로 켜집니다.",
    .soon_reload = "시작 시각이 되면 이 페이지가 저절로 새로 고쳐집니다.",
    .closed_title = "마감되었습니다",
    .closed_text = "{}에 마감되어 더는 신청할 수 없습니다.",

    .queued_title = "대기 중입니다",
    .queued_position = "내 대기 순번",
    .queued_text = "신청이 안전하게 접수되었고, 순서대로 처리됩니다.",
    .queued_next = "기다리기만 하면 결과가 여기에 나타납니다. 페이지를 닫았다가 나중에 다시 와도 됩니다.",
    .processing_title = "내 차례입니다",
    .processing_text = "지금 신청을 처리하고 있습니다.",
    .succeeded_title = "자리를 얻었습니다",
    .succeeded_text = "이 자리는 확정되었고, 바뀌지 않습니다.",
    .succeeded_next = "아래 신청 번호가 증명이니 잘 보관해 주세요.",
    .rejected_title = "이번에는 자리를 얻지 못했습니다",
    .rejected_capacity_text = "먼저 온 분들께 자리가 모두 돌아갔습니다.",
    .rejected_closed_text = "차례가 오기 전에 마감되었습니다.",
    .rejected_next = "더 하실 일은 없습니다. 기다려 주셔서 감사합니다.",
    .failed_title = "저희 쪽에서 문제가 생겼습니다",
    .failed_text = "신청을 처리하지 못했습니다. 참가자의 잘못이 아니며, 신청 기록은 남아 있습니다.",
    .failed_next = "주최 측에 신청 번호를 알려 주세요. 무슨 일이 있었는지 확인할 수 있습니다.",
    .failed_again_text = "신청이 대기열에 들어가지 못했습니다. 다시 한 번 신청해 주세요.",
    .request_id = "신청 번호",
    .asked_at = "신청한 시각",
    .answered_at = "결과가 나온 시각",

    .oidc_title = "로그인은 다른 곳에서 합니다",
    .oidc_text =
        "여기서는 다른 서비스에서 로그인하며, 이 페이지가 그곳으로 안내해 드리지는 않습니다. 그곳에서 받은 "
        "액세스 토큰으로 앱이 대신 신청합니다: POST /events/{}/participations, Authorization: Bearer.",
    .oidc_issuer = "토큰 발급처",
    .nobody_title = "여기서는 로그인할 수 없습니다",
    .nobody_text = "이 서버에는 참가자 로그인이 없습니다. 참가 방법은 주최 측에 문의해 주세요.",

    .unreadable_title = "잠시만 기다려 주세요",
    .missing_title = "그런 이벤트가 없습니다",
    .missing_text = "주소를 다시 확인해 주세요. 글자 하나까지 정확해야 합니다.",
};

}  // namespace

const EventPageWords& event_page_words(Language language) {
  return language == Language::kKorean ? kKorean : kEnglish;
}

}  // namespace spillway::app
