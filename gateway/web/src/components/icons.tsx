import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
    return (
        <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            {children}
        </svg>
    );
}

export const SendIcon = () => (
    <Icon>
        <path d="M5 12h13M12.5 5.5 19 12l-6.5 6.5" />
    </Icon>
);
export const MenuIcon = () => (
    <Icon>
        <path d="M4 7h16M4 12h16M4 17h16" />
    </Icon>
);
export const CloseIcon = () => (
    <Icon>
        <path d="m6 6 12 12M18 6 6 18" />
    </Icon>
);
export const DownIcon = () => (
    <Icon>
        <path d="M12 5v14M5.5 12.5 12 19l6.5-6.5" />
    </Icon>
);
export const PlusIcon = () => (
    <Icon>
        <path d="M12 5v14M5 12h14" />
    </Icon>
);
export const SignOutIcon = () => (
    <Icon>
        <path d="M14 5H7a1.5 1.5 0 0 0-1.5 1.5v11A1.5 1.5 0 0 0 7 19h7M10.5 12H20m-3.5-3.5L20 12l-3.5 3.5" />
    </Icon>
);
export const AlertIcon = () => (
    <Icon>
        <circle cx="12" cy="12" r="8.5" />
        <path d="M12 7.8v5M12 16.1v.1" />
    </Icon>
);
export const CheckIcon = () => (
    <Icon>
        <path d="m5.5 12.5 4.2 4.2L18.5 8" />
    </Icon>
);
export const EyeIcon = () => (
    <Icon>
        <path d="M2.8 12S6 5.8 12 5.8 21.2 12 21.2 12 18 18.2 12 18.2 2.8 12 2.8 12Z" />
        <circle cx="12" cy="12" r="2.8" />
    </Icon>
);
export const EyeOffIcon = () => (
    <Icon>
        <path d="M4 4l16 16M9.5 6.2A9 9 0 0 1 12 5.8c6 0 9.2 6.2 9.2 6.2a15 15 0 0 1-2.6 3.3M6.2 7.6A15.5 15.5 0 0 0 2.8 12S6 18.2 12 18.2a9 9 0 0 0 4-1" />
    </Icon>
);
export const LockIcon = () => (
    <Icon>
        <rect x="5.5" y="10.8" width="13" height="8.7" rx="2" />
        <path d="M8.5 10.8V8a3.5 3.5 0 0 1 7 0v2.800" />
    </Icon>
);
export const PeopleIcon = () => (
    <Icon>
        <circle cx="9.2" cy="8.800" r="3.200" />
        <path d="M3.500 19c.4-3.300 2.600-5.200 5.700-5.200s5.300 1.900 5.700 5.200M15.200 5.900a3.200 3.200 0 0 1 0 5.900M17.400 14.400c1.800.7 2.900 2.300 3.100 4.600" />
    </Icon>
);

/** Two speech bubbles that lean on each other. */
export const Logo = () => (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <path
            className="logo-back"
            d="M13 4h11a5 5 0 0 1 5 5v6a5 5 0 0 1-5 5v4.2a.8.8 0 0 1-1.4.5L18.4 20H13a5 5 0 0 1-5-5V9a5 5 0 0 1 5-5Z"
        />
        <path
            className="logo-front"
            d="M8 10h8.5a4.5 4.5 0 0 1 4.500 4.500v4A4.500 4.500 0 0 1 16.500 23h-3.800l-4.300 4.600a.8.8 0 0 1-1.400-.5V22.900A4.500 4.500 0 0 1 3 18.500v-4A4.500 4.500 0 0 1 7.500 10Z"
        />
    </svg>
);
