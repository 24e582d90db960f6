//! The messages of a conversation.

use crate::provider::json::{Fields, Json};

/// Who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator of the model.
    System,
    /// The same under its newer name.
    Developer,
    /// The person.
    #[default]
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
    /// The same in the old dialect: it answers the last call of its name.
    Function,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: Content,
    /// The speaker's name; the function's, where a function answers.
    pub name: Option<String>,
    /// Which call a tool answers.
    pub tool_call_id: Option<String>,
    /// The calls that the model made.
    pub tool_calls: Vec<CallMade>,
    /// The call that it made in the old dialect, which has no ids.
    pub function_call: Option<CallMade>,
    /// Its refusal to answer.
    pub refusal: Option<String>,
    /// Its audio output, referred to.
    pub audio: Option<Json>,
    /// Its reasoning as text, played back by the client.
    pub reasoning: Option<String>,
    /// Its blocks of reasoning (`thinking_blocks`), verbatim, played back by the client: objects
    /// with a `type` of `thinking` or `redacted_thinking`. They are signed: never change one.
    pub thinking_blocks: Vec<Json>,
    /// Marks for the cache of prompts on the message as a whole.
    pub cache: CacheMarks,
    /// Every other field.
    pub other: Fields,
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    #[default]
    None,
    /// A text.
    Text(String),
    /// Parts.
    Parts(Vec<Part>),
}

impl Content {
    /// The texts in it, in their order; refusals too.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Text(text) => vec![text],
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| match &part.kind {
                    PartKind::Text(text) | PartKind::Refusal(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
        }
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Its marks for the cache of prompts.
    pub cache: CacheMarks,
    /// Every other field.
    pub other: Fields,
}

impl From<PartKind> for Part {
    fn from(kind: PartKind) -> Self {
        Self { kind, cache: CacheMarks::default(), other: Fields::default() }
    }
}

/// What a part of a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Text.
    Text(String),
    /// The model's refusal.
    Refusal(String),
    /// An image.
    Image(ImagePart),
    /// Sound.
    Audio(AudioPart),
    /// A document.
    File(FilePart),
    /// A part of a type that is not known; its fields are among the part's other ones.
    Other(String),
}

/// Where the bytes of an image or a document are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// At an address, of whatever scheme.
    Url(String),
    /// Here.
    Data {
        /// Their media type, in lower case and without parameters, if it is said.
        media_type: Option<String>,
        /// The bytes in base64: the standard alphabet, without white space.
        base64: String,
    },
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePart {
    /// The image itself.
    pub source: Media,
    /// How closely it is looked at.
    pub detail: Option<String>,
    /// Every other field of it.
    pub other: Fields,
}

/// Sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioPart {
    /// The bytes in base64.
    pub data: String,
    /// `wav`, `mp3`, ...
    pub format: String,
    /// Every other field of it.
    pub other: Fields,
}

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePart {
    /// The document itself, if it is here.
    pub data: Option<Media>,
    /// Its id at a provider, if it was uploaded.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Every other field of it.
    pub other: Fields,
}

/// Marks for the cache of prompts, in the two ways that clients write them. Verbatim: they have
/// options of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheMarks {
    /// `cache_control`, as Anthropic has it.
    pub control: Option<Json>,
    /// `prompt_cache_breakpoint`, as `OpenAI` has it.
    pub breakpoint: Option<Json>,
}

impl CacheMarks {
    /// Whether there is one.
    pub fn is_marked(&self) -> bool {
        self.control.is_some() || self.breakpoint.is_some()
    }
}

/// A call of a tool that the model made earlier in the conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallMade {
    /// Its id; empty in the old dialect.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments, exactly as the model wrote them: JSON text in most cases, but not in all.
    pub arguments: String,
    /// It is a call of a custom tool, whose input is free text.
    pub custom: bool,
    /// What the provider attached to it and wants back (`google.thought_signature`), verbatim.
    pub extra_content: Option<Json>,
    /// Its marks for the cache of prompts.
    pub cache: CacheMarks,
    /// Every other field of the call.
    pub other: Fields,
    /// Every other field of the function in it.
    pub function_other: Fields,
}

impl CallMade {
    /// The arguments as the JSON object that other dialects want, to the letter if they are one;
    /// blank ones are an empty object.
    ///
    /// # Errors
    /// For arguments that are no object: an object that holds them as text. A model may have
    /// written them long ago, and a call that is refused for them poisons its conversation for
    /// good, so who is not strict takes this one.
    pub fn input(&self) -> Result<Json, Json> {
        let text = match self.arguments.trim() {
            "" => "{}",
            text => text,
        };
        let object = Json::new(text).filter(Json::is_object);
        object.ok_or_else(|| {
            let wrapped = [(String::from("_raw_arguments"), Json::of(&self.arguments))];
            Json::of(&wrapped.into_iter().collect::<Fields>())
        })
    }

    /// Google's signature of the thought that led to the call, if the client played it back.
    pub fn thought_signature(&self) -> Option<String> {
        let google = self.extra_content.as_ref()?.fields()?.get("google")?.fields()?;
        google.get("thought_signature")?.as_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_to_the_letter_or_wrapped_in_one() {
        for (arguments, input) in [
            ("", Ok("{}")),
            (" ", Ok("{}")),
            (r#" {"b":1, "a":12345678901234567890}"#, Ok(r#"{"b":1, "a":12345678901234567890}"#)),
            ("[1]", Err(r#"{"_raw_arguments":"[1]"}"#)),
            ("not \"json\"", Err(r#"{"_raw_arguments":"not \"json\""}"#)),
            ("{", Err(r#"{"_raw_arguments":"{"}"#)),
        ] {
            let call = CallMade { arguments: arguments.into(), ..CallMade::default() };
            let json = |text: &str| Json::new(text).unwrap();
            assert_eq!(call.input(), input.map(json).map_err(json), "{arguments}");
        }
    }
}
